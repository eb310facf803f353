"""Intervals on proportions."""

from __future__ import annotations

import math

Z95 = 1.959964


def wilson(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a proportion (Wilson 1927, JASA 22:209): honest near 0 and 1, unlike p +- z SE.

    >>> [round(x, 3) for x in wilson(930, 1000)]
    [0.913, 0.944]
    """
    if n == 0:
        return 0.0, 1.0
    p = right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (0.0 if right == 0 else centre - half), (1.0 if right == n else centre + half)
