"""Two models on the same problems."""

from __future__ import annotations

import pytest

from reasonwright.evaluation.compare import compare_greedy, compare_values
from reasonwright.evaluation.statistics import mcnemar, paired_interval
from reasonwright.types import UserError


def rows(strict: str, lenient: str) -> list[dict]:
    """One row a letter: 1 for right."""
    return [
        {"id": f"t/{i}", "strict": s == "1", "lenient": le == "1"}
        for i, (s, le) in enumerate(zip(strict, lenient, strict=True))
    ]


def test_by_hand():
    got = compare_greedy(rows("110000", "111000"), rows("011110", "111111"))
    assert got["strict"] == {
        "difference": pytest.approx(2 / 6), "ci95": paired_interval(1, 3, 1, 1), "p": mcnemar(1, 3), "n": 6,
        "only_first": 1, "only_second": 3,
    }  # fmt: skip
    assert (got["lenient"]["only_first"], got["lenient"]["only_second"], got["lenient"]["p"]) == (0, 3, 0.25)


def test_other_problems_are_refused():
    with pytest.raises(UserError, match="the same problems"):
        compare_greedy(rows("10", "10"), rows("101", "101"))


def test_of_samples():
    a = {"average@2 strict": [0.0, 0.5, 1.0, 0.5], "pass@2 strict": [0.0, 1.0, 1.0, 1.0], "maj@4 strict": [1.0] * 4}
    b = {"average@2 strict": [0.5, 1.0, 1.0, 1.0], "pass@2 strict": [1.0, 1.0, 1.0, 1.0]}
    got = compare_values(a, b)
    assert list(got) == ["average@2 strict", "pass@2 strict"]
    assert got["average@2 strict"]["difference"] == 0.375
    low, high = got["average@2 strict"]["ci95"]
    assert 0 < low < 0.375 < high <= 0.5
    assert got["pass@2 strict"]["ci95"] == paired_interval(3, 1, 0, 0)
