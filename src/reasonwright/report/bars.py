"""Bars, histograms and differences with intervals as SVG text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reasonwright.report.figures import decimal, percent, tick_labels, ticks
from reasonwright.report.svg import LETTER, MOST_LETTERS, Scale, Size, document, hint, label, scale, x_axis, y_axis


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a bar chart, or one row of a chart of differences."""

    label: str
    value: float
    text: str
    """What stands at the end of the bar."""
    style: str = "c1"
    interval: tuple[float, float] | None = None
    light: bool = False
    """A thin, pale bar under the one before it."""


@dataclass(frozen=True, slots=True)
class Heights:
    """One set of columns of a histogram."""

    name: str
    values: Sequence[float]
    style: str = "c1"


def bar_chart(bars: Sequence[Bar], *, width: int = 540, top: float | None = None, percents: bool = False) -> Markup:
    """Horizontal bars with whiskers; the axis goes from 0 to `top`."""
    if not bars:
        return Markup("")
    ends = [b.value for b in bars] + [b.interval[1] for b in bars if b.interval]
    x_ticks = ticks(0.0, max(top or 0.0, *ends, 0.0), about=4 if width < 500 else 5)
    left = _name_width(bars, width)
    to_x = scale(x_ticks[0], x_ticks[-1], left, width - 16 - LETTER * max(len(b.text) for b in bars))
    body, y = [], 6.0
    for bar in bars:
        thick = 7 if bar.light else 17
        y += 2 if bar.light else 9
        body.append(_bar(bar, to_x, y, thick, left))
        y += thick
    grid = x_axis(x_ticks, tick_labels(x_ticks, percents), to_x, y + 6)
    return document((width, round(y + 28)), [grid, *body], ", ".join(b.label for b in bars if b.label))


def difference_chart(rows: Sequence[Bar], *, width: int = 540) -> Markup:
    """Differences as dots with whiskers on both sides of 0, in percentage points; "" without rows."""
    if not rows:
        return Markup("")
    ends = [100 * end for row in rows for end in (row.value, *(row.interval or ()))]
    x_ticks = ticks(min(0.0, *ends), max(0.0, *ends), about=3 if width < 500 else 5)
    above = width < 500  # no room for names beside the axis
    left = 14.0 if above else _name_width(rows, width)
    to_x = scale(x_ticks[0] / 100, x_ticks[-1] / 100, left, width - 16 - LETTER * max(len(row.text) for row in rows))
    body, y = [], 0.0
    for row in rows:
        y += 40 if above else 26
        middle = y - 8
        body.append(
            label(2, middle - 14, row.label, "name")
            if above
            else label(left - 8, middle + 4, _fit(row.label, left), "name end")
        )
        if row.interval:
            low, high = map(to_x, row.interval)
            body.append(f'<path class="span {row.style}" d="M{low:.1f} {middle:.1f}H{high:.1f}"/>')
        x, line = to_x(row.value), hint(f"{row.label}: {row.text}")
        body.append(f'<circle class="dot {row.style}" cx="{x:.1f}" cy="{middle:.1f}" r="4.5">{line}</circle>')
        body.append(label(to_x(x_ticks[-1] / 100) + 9, middle + 4, row.text, "value"))
    grid = x_axis([x / 100 for x in x_ticks], tick_labels(x_ticks), to_x, y + 4)
    zero = f'<line class="zero" x1="{to_x(0):.1f}" x2="{to_x(0):.1f}" y1="6" y2="{y + 4:.1f}"/>'
    return document((width, round(y + 28)), [grid, zero, *body], ", ".join(row.label for row in rows))


def columns(
    sets: Sequence[Heights], labels: Sequence[str], *, size: Size = (360, 210), x_label: str, percents: bool = False
) -> Markup:
    """Vertical bars, those of several sets side by side: a histogram."""
    values = [value for one in sets for value in one.values]
    if not values or any(len(one.values) != len(labels) for one in sets):
        return Markup("")
    width, height = size
    y_ticks = ticks(0.0, max(*values, 0.0), about=4, whole=not percents)
    y_labels = tick_labels(y_ticks, percents)
    left = 14 + LETTER * max(map(len, y_labels))
    to_y = scale(y_ticks[0], y_ticks[-1], height - 36, 10)
    room = (width - 10 - left) / len(labels)
    each = room * 0.84 / len(sets)
    body = [y_axis(y_ticks, y_labels, to_y, left, width - 8)]
    for i, name in enumerate(labels):
        for k, one in enumerate(sets):
            x, y = left + (i + 0.08) * room + k * each, to_y(one.values[i])
            shown = percent(one.values[i]) if percents else decimal(one.values[i])
            told = hint(f"{one.name} {name}: {shown}".strip())
            body.append(
                f'<rect class="fill {one.style}" x="{x:.1f}" y="{y:.1f}" width="{each * 0.96:.1f}" '
                f'height="{max(0.0, height - 36 - y):.1f}" rx="1.5">{told}</rect>'
            )
        if room >= LETTER * max(map(len, labels)) or i % 2 == 0:
            body.append(label(left + (i + 0.5) * room, height - 20, name, "tick middle"))
    body.append(label((left + width) / 2, height - 4, x_label, "axis middle"))
    return document(size, body, x_label)


def _name_width(bars: Sequence[Bar], width: int) -> float:
    return min(0.42 * width, 12 + 6.8 * max(min(MOST_LETTERS, len(b.label)) for b in bars if not b.light))


def _fit(name: str, room: float) -> str:
    most = int((room - 8) / LETTER)
    return name if len(name) <= most else name[: most - 1] + "…"


def _bar(bar: Bar, to_x: Scale, y: float, thick: int, left: float) -> str:
    zero, end, middle = to_x(0.0), to_x(max(0.0, bar.value)), y + thick / 2
    style = f"fill {bar.style}" + (" light" if bar.light else "")
    body = label(left - 8, middle + 4, _fit(bar.label, left), "name end") if not bar.light else ""
    body += (
        f'<rect class="{style}" x="{zero:.1f}" y="{y:.1f}" width="{max(0.5, end - zero):.1f}" height="{thick}" '
        f'rx="2">{hint(f"{bar.label}: {bar.text}")}</rect>'
    )
    if bar.interval:
        low, high = to_x(bar.interval[0]), to_x(bar.interval[1])
        cap = thick * 0.28
        body += (
            f'<path class="error" d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - cap:.1f}v{2 * cap:.1f}'
            f'M{high:.1f} {middle - cap:.1f}v{2 * cap:.1f}"/>'
        )
        end = max(end, high)
    if not bar.light:
        body += label(end + 7, middle + 4, bar.text, "value")
    return body
