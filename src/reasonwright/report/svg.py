"""The parts that charts are drawn from, as SVG text. Colours are CSS classes of the page, so that light and dark both
work. Text enters through `label` and `hint` alone, which escape it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup, escape

Size = tuple[int, int]
Scale = Callable[[float], float]
LETTER = 6.6
"""Width of a letter at the charts' font size, about."""
MOST_LETTERS = 60
"""Of a label."""


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """Linear map of [low, high] on [start, end]."""
    return lambda value: start + (end - start) * (value - low) / (high - low)


def document(size: Size, body: Iterable[str], name: str) -> Markup:
    """A whole SVG; `name` is what a screen reader says."""
    width, height = size
    return Markup(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{clean(name)}">{"".join(body)}</svg>'
    )


def clean(text: str) -> str:
    """Escaped, and without the control characters that XML forbids."""
    return str(escape(re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)))


def label(x: float, y: float, text: str, style: str) -> str:
    text = text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{clean(text)}</text>'


def hint(text: str) -> str:
    """What a browser shows under the pointer."""
    return f"<title>{clean(text)}</title>"


def y_axis(values: Sequence[float], labels: Sequence[str], to_y: Scale, left: float, right: float) -> str:
    return "".join(
        f'<line class="grid" x1="{left:.1f}" x2="{right:.1f}" y1="{to_y(y):.1f}" y2="{to_y(y):.1f}"/>'
        + label(left - 7, to_y(y) + 4, name, "tick end")
        for y, name in zip(values, labels, strict=True)
    )


def x_axis(values: Sequence[float], labels: Sequence[str], to_x: Scale, bottom: float) -> str:
    """Vertical lines and their labels below."""
    return "".join(
        f'<line class="grid" x1="{to_x(x):.1f}" x2="{to_x(x):.1f}" y1="6" y2="{bottom:.1f}"/>'
        + label(to_x(x), bottom + 16, name, "tick middle")
        for x, name in zip(values, labels, strict=True)
    )
