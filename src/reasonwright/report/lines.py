"""Line charts as SVG text. A coordinate is always finite, because `Series` drops what is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from reasonwright.report.figures import decimal, percent, rolling, tick_labels, ticks
from reasonwright.report.svg import LETTER, Scale, Size, document, hint, label, scale, y_axis

Point = tuple[float, float]
Ends = tuple[float, float, float]
"""(x, low, high)"""
MOST_POINTS = 600
MOST_HOVERS = 60
LINE_HEIGHT = 14.0


@dataclass(slots=True)
class Series:
    """One line of a chart."""

    name: str
    """"" for a line that is not named."""
    points: Sequence[Point]
    style: str = "c1"
    """CSS class that gives the colour."""
    window: int = 1
    """Over how many points the bold line is the mean, with a band for its 95 % interval; 1: the points themselves."""
    marked: bool = False
    """A dot on each point."""
    dashed: bool = False
    whiskers: Sequence[Ends] = field(default_factory=list)
    """Intervals of single points."""
    bold: Sequence[Point] = field(init=False)
    band: Sequence[Ends] = field(init=False)

    def __post_init__(self) -> None:
        self.points = sorted(p for p in self.points if all(map(math.isfinite, p)))
        self.whiskers = [w for w in self.whiskers if all(map(math.isfinite, w))]
        xs = [x for x, _ in self.points]
        means = rolling([y for _, y in self.points], self.window)
        self.bold = [(x, mean) for x, (mean, _) in zip(xs, means, strict=True)]
        wide = [(x, mean - half, mean + half) for x, (mean, half) in zip(xs, means, strict=True)]
        self.band = wide if self.window > 1 else []


def line_chart(
    series: Sequence[Series],
    *,
    size: Size = (360, 210),
    x_label: str = "step",
    percents: bool = False,
    y_range: tuple[float, float] | None = None,
    named: bool = False,
) -> Markup:
    """Lines over a shared axis; "" where no series has a point. The y axis starts at 0 unless values are below it.

    `named`: each line's name stands at its end.
    """
    series = [s for s in series if s.points]
    if not series:
        return Markup("")
    width, height = size
    names = [s.name for s in series if s.name] if named else []
    right = width - 12 - (LETTER * min(30, max(map(len, names))) + 8 if names else 0)
    xs = [x for s in series for x, _ in s.points]
    ys = [y for s in series for _, y in s.points] + [end for s in series for w in s.whiskers for end in w[1:]]
    if not percents:  # room for a band that is well above all points
        top = max(ys)
        ys += [high for s in series for _, _, high in s.band if high > 1.03 * top]
    y_ticks = ticks(*(y_range or (min(0.0, *ys), max(ys))), about=4 if height < 240 else 5)
    y_labels = tick_labels(y_ticks, percents)
    left = 14 + LETTER * max(map(len, y_labels))
    x_ticks = ticks(min(xs), max(xs), about=min(8, max(3, width // 70)), whole=True)
    x_low, x_high = (min(xs), max(xs)) if min(xs) < max(xs) else (x_ticks[0], x_ticks[-1])
    to_x = scale(x_low, x_high, left + 4, right)
    inside = scale(y_ticks[0], y_ticks[-1], height - 36, 10)

    def to_y(value: float) -> float:
        return inside(min(max(value, y_ticks[0]), y_ticks[-1]))  # a band may still leave the axis

    body = [y_axis(y_ticks, y_labels, to_y, left, right + 4)]
    shown = [x for x in x_ticks if x_low <= x <= x_high]
    body += [
        label(to_x(x), height - 20, text, "tick middle") for x, text in zip(shown, tick_labels(shown), strict=True)
    ]
    body.append(label((left + right) / 2, height - 4, x_label, "axis middle"))
    body += [_band(s, to_x, to_y) for s in series]
    body += [_line(s, to_x, to_y) for s in series]
    if names:
        body.append(_end_names(series, to_y, right + 8, (14, height - 36)))
    body.append(_hovers(series, to_x, (10, height - 36), x_label, percents))
    return document(size, body, ", ".join(s.name for s in series if s.name))


def _band(s: Series, to_x: Scale, to_y: Scale) -> str:
    if not s.band:
        return ""
    ends = _thin(s.band)
    up = [f"{to_x(x):.1f} {to_y(high):.1f}" for x, _, high in ends]
    down = [f"{to_x(x):.1f} {to_y(low):.1f}" for x, low, _ in reversed(ends)]
    return f'<path class="band {s.style}" d="M{"L".join(up + down)}Z"/>'


def _line(s: Series, to_x: Scale, to_y: Scale) -> str:
    dash = " dashed" if s.dashed else ""
    body = ""
    for x, low, high in s.whiskers:
        body += f'<path class="whisker {s.style}" d="M{to_x(x):.1f} {to_y(low):.1f}V{to_y(high):.1f}"/>'
    places = [f"{to_x(x):.1f} {to_y(y):.1f}" for x, y in _thin(s.bold)]
    body += f'<path class="line {s.style}{dash}" d="M{"L".join(places)}"/>'
    if s.marked or len(s.points) == 1:
        body += "".join(
            f'<circle class="dot {s.style}" cx="{to_x(x):.1f}" cy="{to_y(y):.1f}" r="3"/>' for x, y in s.bold
        )
    return body


def _thin(points: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    """A very long line as the means of equal pieces of it."""
    size = math.ceil(len(points) / MOST_POINTS)
    pieces = [points[i : i + size] for i in range(0, len(points), size)]
    return [tuple(sum(column) / len(piece) for column in zip(*piece, strict=True)) for piece in pieces]


def _end_names(series: Sequence[Series], to_y: Scale, x: float, span: tuple[float, float]) -> str:
    """Names where the lines of a colour end, moved apart where they would lie on each other."""
    named = [s for s in series if s.name]
    goes_on = {s.style: s.bold[-1] for s in series if not s.name}  # a line without a name goes on from its colour's
    ends = [to_y(max(s.bold[-1], goes_on.get(s.style, s.bold[-1]))[1]) + 4 for s in named]
    order = sorted(range(len(named)), key=ends.__getitem__)
    places: list[float] = []
    for i in order:
        places.append(max(ends[i], places[-1] + LINE_HEIGHT if places else span[0]))
    for i in reversed(range(len(places))):  # what was pushed below the axis goes up again
        places[i] = min(places[i], span[1] - LINE_HEIGHT * (len(places) - 1 - i))
    return "".join(label(x, y, named[i].name, f"name-end {named[i].style}") for i, y in zip(order, places, strict=True))


def _hovers(series: Sequence[Series], to_x: Scale, span: tuple[int, int], x_label: str, percents: bool) -> str:
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
            if values and s.name:
                mean = sum(values) / len(values)
                lines.append(f"{s.name}: {percent(mean) if percents else decimal(mean)}")
        start = to_x((xs[i - 1] + low) / 2 if i else low)
        end = to_x((high + xs[i + size]) / 2 if i + size < len(xs) else high)
        body += (
            f'<rect class="hover" x="{start - 1:.1f}" y="{span[0]}" width="{end - start + 2:.1f}" '
            f'height="{span[1] - span[0]}">{hint(chr(10).join(lines))}</rect>'
        )
    return body
