"""Behaviours among a step's metrics."""

from __future__ import annotations

import pytest

from reasonwright.training.metrics import rollout_metrics
from reasonwright.types import Completion, Problem, Reward, Rollout, RolloutGroup, Verdict


def rollout(text: str, right: bool) -> Rollout:
    verdict = Verdict(right, right, text.removesuffix(".").split()[-1])
    return Rollout(Completion([1, 2], [-1.0, -1.0], text, "stop"), Reward(right, right, {}, verdict))


def group(*texts: str) -> RolloutGroup:
    return RolloutGroup(Problem("p", "?", "17"), [1], [rollout(t, t.endswith("17.")) for t in texts])


def test_behaviours_of_all_completions():
    metrics = rollout_metrics(
        [
            group(
                "<think>\n12 + 5 = 17\nLet me check: 17 - 5 = 12.\n</think>\n\nThe answer is 17.",
                "<think>\n12 + 5 = 18\nWait, 12 + 5 = 17, not 18.\n</think>\n\nThe answer is 17.",
            ),
            group(
                "<think>\n12 + 5 = 17\nWait, 12 + 5 = 17, not 17.\n</think>\n\nThe answer is 17.",
                "<think>\nSo it is 3.\n</think>\n\nThe answer is 3.",
            ),
        ]
    )
    assert metrics["behaviour/verification"] == 1 / 4
    assert metrics["behaviour/verification_words"] == 1 / 4
    assert metrics["behaviour/backtracking"] == 1 / 4
    assert metrics["behaviour/backtracking_words"] == 2 / 4
    assert metrics["steps_valid"] == pytest.approx(5 / 6)


def test_no_equation_at_all():
    assert rollout_metrics([group("The answer is 3.")])["steps_valid"] is None
