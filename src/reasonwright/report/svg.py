"""Charts as SVG text: small pure functions. Colours are CSS classes of the page, so that light and dark both work.

Text enters through `_text` alone, which escapes it; a coordinate is always finite, because `Series` drops what is not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from reasonwright.report.figures import decimal, percent, smooth, tick_labels, ticks

Point = tuple[float, float]
Size = tuple[int, int]
MOST_POINTS = 600
MOST_HOVERS = 60


@dataclass(slots=True)
class Series:
    """One line of a chart."""

    name: str
    points: Sequence[Point]
    style: str = "c1"
    """CSS class that gives the colour."""
    window: int = 1
    """Over how many points the bold line is the mean; 1: no light raw line behind it."""
    marked: bool = False
    """A dot on each point."""
    dashed: bool = False
    whiskers: Sequence[tuple[float, float, float]] = field(default_factory=list)
    """(x, low, high) of intervals."""

    def __post_init__(self) -> None:
        self.points = sorted(p for p in self.points if all(map(math.isfinite, p)))
        self.whiskers = [w for w in self.whiskers if all(map(math.isfinite, w))]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a bar chart."""

    label: str
    value: float
    text: str
    """What stands at the end of the bar."""
    style: str = "c1"
    interval: tuple[float, float] | None = None
    light: bool = False
    """A thin, pale bar under the one before it."""


def line_chart(
    series: Sequence[Series],
    *,
    size: Size = (360, 210),
    x_label: str = "step",
    percents: bool = False,
    y_range: tuple[float, float] | None = None,
) -> Markup:
    """Lines over a shared axis; "" where no series has a point. The y axis starts at 0 unless values are below it."""
    series = [s for s in series if s.points]
    if not series:
        return Markup("")
    width, height = size
    xs = [x for s in series for x, _ in s.points]
    ys = [y for s in series for _, y in s.points] + [end for s in series for w in s.whiskers for end in w[1:]]
    y_ticks = ticks(*(y_range or (min(0.0, *ys), max(ys))), about=4 if height < 240 else 5)
    y_labels = tick_labels(y_ticks, percents)
    left = 14 + 6.6 * max(map(len, y_labels))
    x_ticks = ticks(min(xs), max(xs), about=min(8, max(3, width // 70)), whole=True)
    x_low, x_high = (min(xs), max(xs)) if min(xs) < max(xs) else (x_ticks[0], x_ticks[-1])
    to_x = _scale(x_low, x_high, left + 4, width - 12)
    to_y = _scale(y_ticks[0], y_ticks[-1], height - 36, 10)
    body = [_y_axis(y_ticks, y_labels, to_y, left, width)]
    shown = [x for x in x_ticks if x_low <= x <= x_high]
    for x, label in zip(shown, tick_labels(shown), strict=True):
        body.append(_text(to_x(x), height - 20, label, "tick middle"))
    body.append(_text((left + width) / 2, height - 4, x_label, "axis middle"))
    body += [_line(s, to_x, to_y) for s in series]
    body.append(_hovers(series, to_x, (10, height - 36), x_label, percents))
    return _svg(size, body, ", ".join(s.name for s in series))


def bar_chart(bars: Sequence[Bar], *, width: int = 540, top: float | None = None, percents: bool = False) -> Markup:
    """Horizontal bars with whiskers; the axis goes from 0 to `top`."""
    if not bars:
        return Markup("")
    ends = [b.value for b in bars] + [b.interval[1] for b in bars if b.interval]
    x_ticks = ticks(0.0, max(top or 0.0, *ends, 0.0), about=4 if width < 500 else 5)
    left = min(0.42 * width, 12 + 6.8 * max(len(b.label) for b in bars))
    to_x = _scale(x_ticks[0], x_ticks[-1], left, width - 16 - 6.6 * max(len(b.text) for b in bars))
    body, y = [], 6.0
    for bar in bars:
        thick = 7 if bar.light else 17
        y += 2 if bar.light else 9
        body.append(_bar(bar, to_x, y, thick, left, percents))
        y += thick
    grid = [
        f'<line class="grid" x1="{to_x(x):.1f}" x2="{to_x(x):.1f}" y1="6" y2="{y + 6:.1f}"/>'
        + _text(to_x(x), y + 22, label, "tick middle")
        for x, label in zip(x_ticks, tick_labels(x_ticks, percents), strict=True)
    ]
    return _svg((width, round(y + 28)), grid + body, ", ".join(b.label for b in bars if b.label))


def columns(
    values: Sequence[float], labels: Sequence[str], *, size: Size = (360, 210), x_label: str, percents: bool = False
) -> Markup:
    """Vertical bars side by side: a histogram."""
    if not values or len(values) != len(labels):
        return Markup("")
    width, height = size
    y_ticks = ticks(0.0, max(*values, 0.0) if len(values) > 1 else values[0], about=4, whole=not percents)
    y_labels = tick_labels(y_ticks, percents)
    left = 14 + 6.6 * max(map(len, y_labels))
    to_y = _scale(y_ticks[0], y_ticks[-1], height - 36, 10)
    room = (width - 10 - left) / len(values)
    body = [_y_axis(y_ticks, y_labels, to_y, left, width)]
    for i, (value, label) in enumerate(zip(values, labels, strict=True)):
        x, y = left + i * room, to_y(value)
        hint = _title(f"{label}: {percent(value) if percents else decimal(value)}")
        body.append(
            f'<rect class="fill c1" x="{x + room * 0.08:.1f}" y="{y:.1f}" width="{room * 0.84:.1f}" '
            f'height="{max(0.0, height - 36 - y):.1f}" rx="1.5">{hint}</rect>'
        )
        if room >= 26 or i % 2 == 0:
            body.append(_text(x + room / 2, height - 20, label, "tick middle"))
    body.append(_text((left + width) / 2, height - 4, x_label, "axis middle"))
    return _svg(size, body, x_label)


def _scale(low: float, high: float, start: float, end: float):
    """Linear map of [low, high] on [start, end]."""
    return lambda value: start + (end - start) * (value - low) / (high - low)


def _svg(size: Size, body: Iterable[str], label: str) -> Markup:
    width, height = size
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{_clean(label)}">{"".join(body)}</svg>'
    )


def _clean(text: str) -> str:
    """Escaped, and without the control characters that XML forbids."""
    return str(escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)))


def _text(x: float, y: float, text: str, style: str) -> str:
    text = text if len(text) <= 40 else text[:39] + "…"
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{_clean(text)}</text>'


def _title(text: str) -> str:
    return f"<title>{_clean(text)}</title>"


def _y_axis(values: Sequence[float], labels: Sequence[str], to_y, left: float, width: int) -> str:
    return "".join(
        f'<line class="grid" x1="{left:.1f}" x2="{width - 8}" y1="{to_y(y):.1f}" y2="{to_y(y):.1f}"/>'
        + _text(left - 7, to_y(y) + 4, label, "tick end")
        for y, label in zip(values, labels, strict=True)
    )


def _line(s: Series, to_x, to_y) -> str:
    dash = " dashed" if s.dashed else ""
    body = ""
    for x, low, high in s.whiskers:
        body += f'<path class="whisker {s.style}" d="M{to_x(x):.1f} {to_y(low):.1f}V{to_y(high):.1f}"/>'
    if s.window > 1:
        body += f'<path class="raw {s.style}" d="{_path(s.points, to_x, to_y)}"/>'
    bold = list(zip((x for x, _ in s.points), smooth([y for _, y in s.points], s.window), strict=True))
    body += f'<path class="line {s.style}{dash}" d="{_path(bold, to_x, to_y)}"/>'
    if s.marked or len(s.points) == 1:
        body += "".join(f'<circle class="dot {s.style}" cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="3"/>' for x, y in bold)
    return body


def _path(points: Sequence[Point], to_x, to_y) -> str:
    """The points as a path; a very long line as the means of equal pieces of it."""
    size = math.ceil(len(points) / MOST_POINTS)
    pieces = [points[i : i + size] for i in range(0, len(points), size)]
    means = [(sum(x for x, _ in piece) / len(piece), sum(y for _, y in piece) / len(piece)) for piece in pieces]
    return "M" + "L".join(f"{to_x(x):.1f} {to_y(y):.1f}" for x, y in means)


def _hovers(series: Sequence[Series], to_x, span: tuple[int, int], x_label: str, percents: bool) -> str:
    """Invisible bands that say the values under the pointer, without a script."""
    xs = sorted({x for s in series for x, _ in s.points})
    size = math.ceil(len(xs) / MOST_HOVERS)
    body = ""
    for i in range(0, len(xs), size):
        piece = xs[i : i + size]
        low, high = piece[0], piece[-1]
        lines = [f"{x_label} {decimal(low)}" + (f"–{decimal(high)}" if high > low else "")]
        for s in series:
            values = [y for x, y in s.points if low <= x <= high]
            if values:
                mean = sum(values) / len(values)
                lines.append(f"{s.name}: {percent(mean) if percents else decimal(mean)}")
        start = to_x((xs[i - 1] + low) / 2 if i else low)
        end = to_x((high + xs[i + size]) / 2 if i + size < len(xs) else high)
        hint = _title("\n".join(lines))
        body += (
            f'<rect class="hover" x="{start - 1:.1f}" y="{span[0]}" width="{end - start + 2:.1f}" '
            f'height="{span[1] - span[0]}">{hint}</rect>'
        )
    return body


def _bar(bar: Bar, to_x, y: float, thick: int, left: float, percents: bool) -> str:
    zero, end, middle = to_x(0.0), to_x(max(0.0, bar.value)), y + thick / 2
    hint = _title(f"{bar.label}: {bar.text}")
    style = f"fill {bar.style}" + (" light" if bar.light else "")
    body = _text(left - 8, middle + 4, bar.label, "name end") if not bar.light else ""
    body += (
        f'<rect class="{style}" x="{zero:.1f}" y="{y:.1f}" width="{max(0.5, end - zero):.1f}" height="{thick}" '
        f'rx="2">{hint}</rect>'
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
        body += _text(end + 7, middle + 4, bar.text, "value")
    return body
