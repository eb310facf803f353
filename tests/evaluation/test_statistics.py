"""Every statistic against a reference that counts cases one by one, or against published numbers."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonwright.evaluation.intervals import wilson
from reasonwright.evaluation.statistics import (
    intervals_of_differences,
    intervals_of_means,
    majority,
    mcnemar,
    paired_interval,
    pass_at_k,
)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_pass_at_k_counts_the_subsets_that_hold_a_right_one(n: int):
    for right, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations([True] * right + [False] * (n - right), k))
        assert pass_at_k(n, right, k) == pytest.approx(float(Fraction(sum(map(any, subsets)), len(subsets))), abs=1e-12)


def test_pass_at_k_of_many_samples():
    """The product form of the paper's own code, where the binomials have hundreds of digits."""
    n, right, k = 1000, 37, 100
    product = math.prod(1 - k / i for i in range(n - right + 1, n + 1))
    assert pass_at_k(n, right, k) == pytest.approx(1 - product, rel=1e-9)


@pytest.mark.parametrize(
    ("votes", "winner"),
    [
        ([3, 3, 1], 3),
        ([1, 3, 3], 3),
        ([2, 5, 5, 2], 2),
        ([5, 2, 2, 5], 5),
        ([None, None, 4], 4),
        ([None], None),
        ([], None),
    ],
)
def test_majority(votes: list[int | None], winner: int | None):
    assert majority(votes) == winner


@given(st.lists(st.sampled_from([None, 1, 2, 3]), max_size=9))
def test_nobody_has_more_votes_than_the_majority(votes: list[int | None]):
    cast = [v for v in votes if v is not None]
    winner = majority(votes)
    assert (winner is None) == (not cast)
    if winner is not None:
        most = max(cast.count(v) for v in cast)
        assert winner == next(v for v in cast if cast.count(v) == most)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (12, 2, 0.0129),  # Armitage & Berry 1994, p. 127
        (1, 7, 0.0703),  # Fagerland et al. 2013, BMC Medical Research Methodology 13:91, airway hyperresponsiveness
        (0, 0, 1.0),
        (3, 3, 1.0),
    ],
)
def test_mcnemar_against_published(only_a: int, only_b: int, p: float):
    assert mcnemar(only_a, only_b) == pytest.approx(p, abs=5e-5)


def test_mcnemar_counts_the_coin_tosses_that_are_as_uneven():
    for only_a, only_b in itertools.product(range(6), repeat=2):
        n = only_a + only_b
        tosses = [abs(2 * sum(t) - n) >= abs(only_a - only_b) for t in itertools.product((0, 1), repeat=n)]
        assert mcnemar(only_a, only_b) == pytest.approx(sum(tosses) / len(tosses), abs=1e-12)


@pytest.mark.parametrize(
    ("table", "interval"),
    [
        ((20, 12, 2, 16), (0.0562, 0.3292)),  # Armitage & Berry's, by Newcombe's method 10
        ((1, 1, 7, 12), (-0.5069, -0.0256)),  # Fagerland et al. 2014, Statistics in Medicine 33:2850: -0.507 to -0.026
    ],
)
def test_paired_interval_against_published(table: tuple[int, int, int, int], interval: tuple[float, float]):
    assert paired_interval(*table) == pytest.approx(interval, abs=6e-5)


@given(st.tuples(*[st.integers(0, 30)] * 4).filter(any))
def test_paired_interval_holds_the_difference_and_is_the_mirror_of_the_other_order(table: tuple[int, int, int, int]):
    both, only_a, only_b, neither = table
    low, high = paired_interval(both, only_a, only_b, neither)
    difference = (only_a - only_b) / sum(table)
    assert -1 - 1e-9 <= low <= difference + 1e-12
    assert difference - 1e-12 <= high <= 1 + 1e-9
    assert paired_interval(both, only_b, only_a, neither) == pytest.approx((-high, -low))


@pytest.mark.parametrize("chances", [(0.3, 0.2, 0.2, 0.3), (0.5, 0.3, 0.05, 0.15), (0.05, 0.1, 0.05, 0.8)])
def test_paired_interval_covers(chances: tuple[float, float, float, float]):
    """The exact chance, over all tables of 24 problems, that the interval holds the true difference."""
    n, truth = 24, chances[1] - chances[2]
    covered = 0.0
    for a, b, c in itertools.product(range(n + 1), repeat=3):
        if a + b + c <= n:
            d = n - a - b - c
            ways = math.factorial(n) // math.prod(map(math.factorial, (a, b, c, d)))
            low, high = paired_interval(a, b, c, d)
            if low <= truth <= high:
                covered += ways * math.prod(p**x for p, x in zip(chances, (a, b, c, d), strict=True))
    assert 0.935 < covered < 0.99


def test_the_bootstrap_agrees_with_all_resamples():
    """Five problems have 5^5 resamples: the percentiles of all of them, and of draws."""
    values = np.array([0.0, 0.13, 0.41, 0.77, 0.95])
    all_means = values[np.array(list(itertools.product(range(5), repeat=5)))].mean(axis=1)
    exact = np.percentile(all_means, [2.5, 97.5])
    (interval,) = intervals_of_means(values[:, None])
    assert interval == pytest.approx(tuple(exact), abs=0.02)
    (moved,) = intervals_of_differences(np.full((5, 1), 0.25), values[:, None])
    assert moved == pytest.approx(tuple(exact - 0.25), abs=0.02)


def test_the_bootstrap_agrees_with_the_normal_interval_of_many_problems():
    values = np.random.default_rng(3).choice([0.0, 0.25, 0.5, 1.0], size=(2000, 1))
    ((low, high),) = intervals_of_means(values)
    half = 1.96 * values.std() / math.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=half / 15)
    assert intervals_of_means(values) == [(low, high)]  # the same each time


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=2, max_size=40))
def test_a_proportion_gets_wilsons_interval(values: list[int]):
    """The bootstrap's would be [0, 0] where none is right."""
    both = np.array([values, [0.5] * len(values)]).T
    assert intervals_of_means(both)[0] == wilson(sum(values), len(values))
    zeros = np.zeros((len(values), 1))
    assert intervals_of_differences(zeros, np.array(values)[:, None])[0] == paired_interval(
        0, sum(values), 0, len(values) - sum(values)
    )


def test_pairs_make_the_interval_of_a_difference_narrower():
    """Two models that are alike on each problem: their difference is known far better than either accuracy."""
    random = np.random.default_rng(0)
    first = random.random((300, 1))
    second = np.clip(first + 0.05, 0, 1)
    ((low, high),) = intervals_of_differences(first, second)
    ((low_one, high_one),) = intervals_of_means(first)
    assert high - low < (high_one - low_one) / 10
    assert 0 < low < high < 0.06
