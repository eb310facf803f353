"""Figures of behaviours: slopes, strata and intervals against values known by hand or by another way."""

from __future__ import annotations

import numpy as np
import pytest

from reasonwright.evaluation.behaviours import measure, read_answers, slope, usefulness
from reasonwright.evaluation.statistics import middle, resamples

CHECKED = "<think>\n12 + 5 = 17\nLet me check: 17 - 5 = 12.\n</think>\n\nThe answer is 17."
PLAIN = "<think>\n12 + 5 = 17\n</think>\n\nThe answer is 17."
SLIPPED = "<think>\n12 + 5 = 18\nWait, 12 + 5 = 17, not 18.\n</think>\n\nThe answer is 17."
WRONG = "<think>\n12 + 5 = 16\n</think>\n\nThe answer is 16."
MISREAD = "<think>\n12 - 5 = 7\n</think>\n\nThe answer is 7."
BARE = "<think>\nSo it is 3.\n</think>\n\nThe answer is 3."


def rows(*answers: tuple[str, int | None, bool]) -> list[dict]:
    return [
        {
            "id": str(i),
            "text": text,
            "difficulty": difficulty,
            "lenient": right,
            "extracted": text.removesuffix(".").split()[-1],
        }
        for i, (text, difficulty, right) in enumerate(answers)
    ]


def words(text: str) -> int:
    return len(text.split())


def test_figures_by_hand():
    answers = rows(
        (CHECKED, 1, True),
        (PLAIN, 1, True),
        (SLIPPED, 2, True),
        (WRONG, 2, True),  # right by luck, say
        (MISREAD, 3, False),
        (BARE, 3, False),
        (WRONG, 3, False),
    )
    figures = measure(read_answers(answers, words))
    assert figures["n"] == 7
    assert figures["verification"]["rate"] == pytest.approx(1 / 7)
    assert figures["verification"]["keyword_rate"] == pytest.approx(1 / 7)
    assert figures["verification"]["examples"] == [{"id": "0", "earlier": "12 + 5 = 17", "later": "17 - 5 = 12"}]
    assert figures["backtracking"]["rate"] == pytest.approx(1 / 7)
    assert figures["backtracking"]["examples"] == [{"id": "2", "earlier": "12 + 5 = 18", "later": "12 + 5 = 17"}]
    assert figures["backtracking"]["usefulness"] is None
    steps = figures["steps"]
    assert (steps["n"], steps["valid_share"]) == (8, pytest.approx(5 / 8))
    assert steps["right_from_wrong_steps"]["share"] == pytest.approx(1 / 4)  # the slip was taken back
    assert (steps["wrong_from_valid_steps"]["share"], steps["wrong_from_valid_steps"]["n"]) == (0.5, 2)
    by = figures["thinking"]["by_difficulty"]
    assert [(row["difficulty"], row["n"], row["steps"]) for row in by] == [(1, 2, 1.5), (2, 2, 1.5), (3, 3, 2 / 3)]
    assert by[0]["accuracy"] == 1.0
    assert by[0]["verification"] == 0.5
    assert figures["thinking"]["tokens"] == pytest.approx(np.mean([13, 5, 13, 5, 5, 4, 5]))


def test_minus_base_is_paired():
    base = read_answers(rows((PLAIN, 1, True), (CHECKED, 1, True), (PLAIN, 1, True)), words)
    now = read_answers(rows((CHECKED, 1, True), (CHECKED, 1, True), (PLAIN, 1, True)), words)
    gain = measure(now, base)["verification"]["minus_base"]
    assert gain["difference"] == pytest.approx(1 / 3)
    assert gain["ci95"] == (0.0, 1.0)
    with pytest.raises(ValueError, match="other problems"):
        measure(now, read_answers(rows((PLAIN, 1, True)), words))


def test_no_equations_and_no_difficulty():
    figures = measure(read_answers(rows((BARE, None, False), (BARE, None, False)), words))
    assert figures["steps"]["valid_share"] is None
    assert figures["steps"]["ci95"] is None
    assert figures["thinking"]["slope_tokens"] is None
    assert figures["thinking"]["by_difficulty"] == []


def test_slope_agrees_with_polyfit_and_the_textbook_interval():
    rng = np.random.default_rng(3)
    x = rng.integers(1, 9, 600).astype(float)
    y = 5 + 3 * x + rng.normal(0, 10, 600)
    fit, (low, high) = slope(x, y, resamples(600))
    assert fit == pytest.approx(np.polyfit(x, y, 1)[0])
    residual = y - np.polyval(np.polyfit(x, y, 1), x)
    error = np.sqrt(residual.var(ddof=2) / ((x - x.mean()) ** 2).sum())
    assert (low, high) == pytest.approx((fit - 1.96 * error, fit + 1.96 * error), abs=0.35 * error)


def test_bootstrap_of_a_mean_has_the_textbook_width():
    y = np.random.default_rng(1).normal(0, 1, 400)
    low, high = middle(resamples(400) @ y / 400)
    assert (high - low) / 2 == pytest.approx(1.96 * y.std() / 20, rel=0.1)
    assert low < y.mean() < high


def test_usefulness_at_equal_difficulty():
    """Checks are made on hard problems, where they help by 0.2; pooled they seem to harm (Simpson's paradox)."""
    easy, hard = np.zeros(400), np.ones(400)
    difficulty = np.concatenate([easy, hard])
    has = np.concatenate([np.arange(400) < 40, np.arange(400) < 360]).astype(float)
    right = np.zeros(800)
    right[:36] = 1  # easy, checked: 36 of 40
    right[40:292] = 1  # easy, not checked: 252 of 360
    right[400:544] = 1  # hard, checked: 144 of 360
    right[760:768] = 1  # hard, not checked: 8 of 40
    found = usefulness(has, right, difficulty, resamples(800))
    assert found["accuracy_with"] < found["accuracy_without"]
    assert found["difference"] == pytest.approx(0.2)  # in both strata, which weigh alike
    low, high = found["ci95"]
    assert 0 < low < 0.2 < high < 0.4
    assert (found["n_with"], found["n_without"]) == (400, 400)


def test_usefulness_needs_some_of_both():
    has = np.array([1.0] * 9 + [0.0] * 91)
    assert usefulness(has, np.ones(100), np.ones(100), resamples(100)) is None
