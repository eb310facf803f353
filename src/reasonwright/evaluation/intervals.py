"""Intervals on proportions."""

from __future__ import annotations

import math

Z95 = 1.959964


def wilson(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927, JASA 22:209): honest near 0 and 1, unlike p +- z SE.

    >>> [round(x, 3) for x in wilson(930, 1000)]
    [0.912, 0.944]
    """
    if n == 0:
        return 0.0, 1.0
    p = right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (0.0 if right == 0 else centre - half), (1.0 if right == n else centre + half)


def difference_of_shares(
    p1: float, ci1: tuple[float, float], p2: float, ci2: tuple[float, float]
) -> tuple[float, float]:
    """95 % interval of p1 - p2 of two independent proportions from their Wilson intervals (Newcombe 1998, Statistics in
    Medicine 17:873, method 10).

    >>> [round(x, 4) for x in difference_of_shares(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80))]
    [0.0524, 0.3339]
    """
    low = p1 - p2 - math.hypot(p1 - ci1[0], ci2[1] - p2)
    return low, p1 - p2 + math.hypot(ci1[1] - p1, p2 - ci2[0])
