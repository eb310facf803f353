"""Two models on the same problems."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from reasonwright.evaluation.evaluate import Row
from reasonwright.evaluation.statistics import intervals_of_differences, mcnemar, paired_interval
from reasonwright.types import UserError


def compare_greedy(a: Sequence[Row], b: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """b - a in accuracy, strict and lenient, of one answer a problem each: the difference with its 95 % interval
    (Newcombe's for pairs), McNemar's exact p, and how many problems only one of them solved.

    Raises UserError where the two were not asked the same.
    """
    if [row["id"] for row in a] != [row["id"] for row in b]:
        raise UserError("only answers to the same problems can be compared: evaluate both models anew, side by side")
    return {form: _compare([r[form] for r in a], [r[form] for r in b]) for form in ("strict", "lenient")}


def _compare(a: Sequence[bool], b: Sequence[bool]) -> dict[str, Any]:
    n = len(a)
    both = sum(x and y for x, y in zip(a, b, strict=True))
    only_a, only_b = sum(a) - both, sum(b) - both
    return {
        "difference": (only_b - only_a) / n,
        "ci95": paired_interval(both, only_b, only_a, n - both - only_a - only_b),
        "p": mcnemar(only_a, only_b),
        "only_first": only_a,
        "only_second": only_b,
        "n": n,
    }


def compare_values(a: dict[str, list[float]], b: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """b - a in the mean of each measure that both have, with 95 % intervals over problems."""
    names = [name for name in a if name in b]
    first_PM, second_PM = (np.array([values[name] for name in names]).T for values in (a, b))
    intervals = intervals_of_differences(first_PM, second_PM)
    return {
        name: {"difference": fmean(b[name]) - fmean(a[name]), "ci95": interval}
        for name, interval in zip(names, intervals, strict=True)
    }
