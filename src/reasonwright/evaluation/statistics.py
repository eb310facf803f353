"""The statistics of repeated answers and of two models on the same problems. Pure functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from reasonwright.evaluation.intervals import wilson

RESAMPLES = 5_000
_AT_ONCE = 500
WHOLE_RESAMPLES = 1_000
"""Where the draws themselves are kept, for statistics that are no means: a matrix of so many rows."""

Interval = tuple[float, float]


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that k of n samples, drawn without replacement, hold a right one: 1 - C(n-c, k) / C(n, k), the
    unbiased estimate of pass@k (Chen et al., arXiv:2107.03374).

    >>> pass_at_k(4, 1, 2)
    0.5
    """
    return 1 - math.comb(n - right, k) / math.comb(n, k)


def majority(votes: Sequence[int | None]) -> int | None:
    """The candidate with the most votes (self-consistency: Wang et al., arXiv:2203.11171); None abstains.

    A tie goes to the candidate that was voted for first, which among independent samples is a draw by lot. None where
    all abstain.

    >>> majority([None, 7, 5, 5, 7])
    7
    """
    counts = Counter(vote for vote in votes if vote is not None)
    return max(counts, key=counts.__getitem__) if counts else None  # a Counter keeps the order of first votes


def intervals_of_means(values_PM: np.ndarray, seed: int = 0) -> list[Interval]:
    """95 % intervals of the means of M measures over the same P problems.

    Args: values_PM: [P, M], each problem's value of each measure. Wilson where every value is 0 or 1, a proportion, of
    which the bootstrap would say [0, 0] where none is right. Else the percentile bootstrap over problems (Efron 1979,
    Annals of Statistics 7:1): samples of one problem are not independent of each other.
    """
    values_PM = np.asarray(values_PM, dtype=float)
    P, M = values_PM.shape
    yes_or_no_M = _yes_or_no(values_PM)
    boots = _bootstrap(values_PM, seed) if not yes_or_no_M.all() else []
    return [wilson(int(values_PM[:, m].sum()), P) if yes_or_no_M[m] else boots[m] for m in range(M)]


def intervals_of_differences(first_PM: np.ndarray, second_PM: np.ndarray, seed: int = 0) -> list[Interval]:
    """95 % intervals of the mean differences second - first in M measures over the same P problems.

    Args: first_PM, second_PM: [P, M]. `paired_interval` where all of a measure's values are 0 or 1, else the percentile
    bootstrap over problems, which keeps the pairs together.
    """
    first_PM, second_PM = np.asarray(first_PM, dtype=float), np.asarray(second_PM, dtype=float)
    boots = _bootstrap(second_PM - first_PM, seed)
    yes_or_no_M = _yes_or_no(first_PM) & _yes_or_no(second_PM)
    return [_paired(first_PM[:, m] > 0, second_PM[:, m] > 0) if yes_or_no_M[m] else boots[m] for m in range(len(boots))]


def _paired(first_P: np.ndarray, second_P: np.ndarray) -> Interval:
    cells = (first_P & second_P, second_P & ~first_P, first_P & ~second_P, ~first_P & ~second_P)
    return paired_interval(*(int(cell.sum()) for cell in cells))


def _yes_or_no(values_PM: np.ndarray) -> np.ndarray:
    return ((values_PM == 0) | (values_PM == 1)).all(axis=0)


def _bootstrap(values_PM: np.ndarray, seed: int) -> list[Interval]:
    """2.5th and 97.5th percentile of each measure's mean over `RESAMPLES` draws of P problems with replacement."""
    P, M = values_PM.shape
    random = np.random.default_rng(seed)
    means = np.empty((RESAMPLES, M))
    for start in range(0, RESAMPLES, _AT_ONCE):
        drawn = random.multinomial(P, np.full(P, 1 / P), size=_AT_ONCE)  # how often each problem was drawn
        means[start : start + _AT_ONCE] = drawn @ values_PM / P
    low_M, high_M = np.percentile(means, [2.5, 97.5], axis=0)
    return list(zip(low_M.tolist(), high_M.tolist(), strict=True))


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p of McNemar's test (1947, Psychometrika 12:153): under no difference, which of the two models
    solved a problem that one of them failed is a fair coin.

    >>> round(mcnemar(12, 2), 4)
    0.0129
    """
    n, fewer = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(fewer + 1)) / 2**n)


def paired_interval(both: int, only_a: int, only_b: int, neither: int) -> Interval:
    """95 % interval of the difference of two proportions on the same problems, a - b: the Wilson intervals of both
    combined with their correlation (Newcombe 1998, Statistics in Medicine 17:2635, method 10).

    >>> [round(x, 4) for x in paired_interval(20, 12, 2, 16)]
    [0.0562, 0.3292]
    """
    n = both + only_a + only_b + neither
    right_a, right_b = both + only_a, both + only_b
    p_a, p_b = right_a / n, right_b / n
    (low_a, high_a), (low_b, high_b) = wilson(right_a, n), wilson(right_b, n)
    phi = _correlation(both, only_a, only_b, neither)

    def width(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2))

    difference = p_a - p_b
    return difference - width(p_a - low_a, high_b - p_b), difference + width(high_a - p_a, p_b - low_b)


def _correlation(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Newcombe's phi: a positive correlation is moved towards 0 by a continuity correction."""
    n = both + only_a + only_b + neither
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    product = both * neither - only_a * only_b
    return (max(product - n / 2, 0) if product > 0 else product) / math.sqrt(margins)


def resamples(n: int, seed: int = 0) -> np.ndarray:
    """[WHOLE_RESAMPLES, n] how often each of n problems is drawn in each bootstrap sample."""
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=WHOLE_RESAMPLES).astype(float)


def middle(samples: np.ndarray) -> Interval | None:
    """The middle 95 % of the samples that have a value; None where most have none."""
    known = samples[np.isfinite(samples)]
    if 2 * len(known) < len(samples):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)
