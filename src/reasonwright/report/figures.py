"""Numbers as a person reads them, and axes with round ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

THIN = "\u202f"
"""Narrow space that does not break: between a number and its unit."""
NONE = "–"


def percent(value: float | None, digits: int = 1) -> str:
    """0.9304 -> "93.0 %"."""
    return NONE if value is None else f"{100 * value:.{digits}f}{THIN}%"


def interval(ends: tuple[float, float] | None) -> str:
    """(0.913, 0.944) -> "91.3–94.4"."""
    return "" if ends is None else f"{100 * ends[0]:.1f}–{100 * ends[1]:.1f}"


def count(value: float | None) -> str:
    """12345.0 -> "12,345"."""
    return NONE if value is None else f"{value:,.0f}"


def decimal(value: float | None) -> str:
    """About three figures: 1234.5 -> "1,234", 81.23 -> "81.2", 0.01234 -> "0.0123", 0.00000123 -> "1.2e-6"."""
    if value is None:
        return NONE
    size = abs(value)
    if size >= 1e7:
        return _power(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size == 0 or size >= 1:
        return f"{value:.3g}"
    if size >= 1e-4:
        return f"{value:.{2 - math.floor(math.log10(size))}f}"
    return _power(value)


def gain(difference: float | None) -> str:
    """A difference of shares in percentage points: 0.535 -> "+53.5", -0.02 -> "−2.0"."""
    return NONE if difference is None else f"{100 * difference + 0.0:+.1f}".replace("-", "−")


def gain_range(ends: tuple[float, float] | None) -> str:
    """(0.502, 0.567) -> "+50.2 to +56.7"."""
    return NONE if ends is None else f"{gain(ends[0])} to {gain(ends[1])}"


def p_value(p: float | None) -> str:
    """ "p < 0.0001", "p = 0.0312"."""
    return "" if p is None else "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def signed(value: float | None) -> str:
    """An advantage: 1.0 -> "+1.00", -0.5 -> "−0.50"."""
    return NONE if value is None else f"{value:+.2f}".replace("-", "−")


def duration(seconds: float | None) -> str:
    """0.32 -> "0.3 s", 75 -> "1 min 15 s", 7380 -> "2 h 3 min"."""
    if seconds is None:
        return NONE
    if seconds < 9.95:
        return f"{seconds:.1f}{THIN}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{THIN}s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}{THIN}min" + (f" {rest}{THIN}s" if rest and minutes < 10 else "")
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours:,}{THIN}h" + (f" {rest}{THIN}min" if rest else "")


def ticks(low: float, high: float, about: int = 5, whole: bool = False) -> list[float]:
    """Round numbers that enclose [low, high], some `about` of them: (0, 0.93) -> 0, 0.2, 0.4, 0.6, 0.8, 1."""
    if not high - low > 1e-12 * max(abs(low), abs(high), 1e-12):  # a flat line still needs an axis
        room = abs(low) / 2 or 1.0
        low, high = low - (room if low < 0 else min(room, low)), high + room
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    sizes = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(size * power for size in sizes if size * power >= rough * 0.999)
    if whole:
        step = max(1.0, step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def tick_labels(values: Sequence[float], percents: bool = False) -> list[str]:
    """Labels with as many decimals as the step between ticks needs."""
    if not values:
        return []
    scale = 100.0 if percents else 1.0
    step = abs(values[1] - values[0]) * scale if len(values) > 1 else 1.0
    unit = "%" if percents else ""
    largest = max(abs(value) for value in values) * scale
    if largest >= 1e7 or step < 1e-4:
        return [(_power(value * scale) if value else "0") + unit for value in values]
    digits = next(d for d in range(8) if abs(round(step, d) - step) < step * 1e-6)
    return [f"{value * scale + 0.0:,.{digits}f}".replace("-", "−") + unit for value in values]


def rolling(values: Sequence[float], window: int) -> list[tuple[float, float]]:
    """(centred mean over `window` values, half of its 95 % interval): Student's t times s / sqrt(n) of the values in
    the window, with what there is of it at both ends."""
    if not values:
        return []
    half, middle = window // 2, math.fsum(values) / len(values)
    sums, squares = [0.0], [0.0]
    for value in values:
        sums.append(sums[-1] + value - middle)
        squares.append(squares[-1] + (value - middle) ** 2)
    found = []
    for i in range(len(values)):
        start, end = max(0, i - half), min(len(values), i + half + 1)
        n, total = end - start, sums[end] - sums[start]
        variance = max(0.0, squares[end] - squares[start] - total * total / n) / max(1, n - 1)
        found.append((middle + total / n, student_t(n - 1) * math.sqrt(variance / n)))
    return found


def student_t(freedom: int) -> float:
    """The 97.5 % quantile, by its expansion about the normal one (Fisher & Cornish 1960, Technometrics 2:209), within
    1 % from 3 degrees of freedom on: 4 -> 2.77, 30 -> 2.04."""
    if freedom < 1:
        return 0.0
    return 1.95996 + 2.37227 / freedom + 2.82250 / freedom**2 + 2.55585 / freedom**3


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}".replace("-", "−")
