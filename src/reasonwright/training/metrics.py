"""What a GRPO step logs about its rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from reasonwright.training.rollout import is_informative
from reasonwright.types import Rollout, RolloutGroup
from reasonwright.verify.behaviours import BACK_WORDS, CHECK_WORDS, read_thought, thought_of


def rollout_metrics(groups: Sequence[RolloutGroup]) -> dict[str, Any]:
    """Means over all completions of the step, those of dropped groups included. Lengths in tokens; null where no
    completion is right (or wrong)."""
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    right = [r for r in rollouts if r.reward.verdict.strict]
    wrong = [r for r in rollouts if not r.reward.verdict.strict]
    parts = rollouts[0].reward.parts
    return {
        "reward": fmean(r.reward.value for r in rollouts),
        **{f"reward/{name}": fmean(r.reward.parts[name] for r in rollouts) for name in parts},
        "accuracy": len(right) / len(rollouts),
        "accuracy_lenient": fmean(r.reward.verdict.lenient for r in rollouts),
        "length": _length(rollouts),
        "length_right": _length(right),
        "length_wrong": _length(wrong),
        "truncated": fmean(r.completion.finish_reason == "length" for r in rollouts),
        "zero_variance": fmean(not is_informative(group) for group in groups),
        "zero_variance_groups": sum(not is_informative(group) for group in groups),
        "pass_rate_histogram": pass_rate_histogram(groups),
        **behaviour_metrics(rollouts),
    }


def behaviour_metrics(rollouts: Sequence[Rollout]) -> dict[str, float | None]:
    """Shares of the thoughts that check a result or take one back, by their equations and (`_words`) by their words;
    share of the equations that are right, null where there is none."""
    thoughts = [read_thought(thought_of(r.completion.text), r.reward.verdict.extracted) for r in rollouts]
    steps = [equation.valid for thought in thoughts for equation in thought.equations]
    return {
        "behaviour/verification": fmean(t.verifies for t in thoughts),
        "behaviour/verification_words": fmean(CHECK_WORDS.search(t.text) is not None for t in thoughts),
        "behaviour/backtracking": fmean(t.backtracks for t in thoughts),
        "behaviour/backtracking_words": fmean(BACK_WORDS.search(t.text) is not None for t in thoughts),
        "steps_valid": fmean(steps) if steps else None,
    }


def pass_rate_histogram(groups: Sequence[RolloutGroup]) -> list[int]:
    """[G + 1] how many groups have 0, 1, … G right completions."""
    counts = [0] * (len(groups[0].rollouts) + 1)
    for group in groups:
        counts[sum(r.reward.verdict.strict for r in group.rollouts)] += 1
    return counts


def _length(rollouts: Sequence[Rollout]) -> float | None:
    return fmean(len(r.completion.token_ids) for r in rollouts) if rollouts else None


def rollout_rows(groups: Sequence[RolloutGroup], step: int) -> list[dict[str, Any]]:
    """Rows of rollouts.jsonl: whole groups, to be read by people and by the report."""
    return [
        {
            "step": step,
            "problem_id": group.problem.id,
            "question": group.problem.question,
            "gold": group.problem.answer,
            "completions": [
                {
                    "text": r.completion.text,
                    "reward": r.reward.value,
                    "parts": dict(r.reward.parts),
                    "kl": r.kl,
                    "advantage": r.advantage,
                    "strict": r.reward.verdict.strict,
                    "lenient": r.reward.verdict.lenient,
                    "tokens": len(r.completion.token_ids),
                    "finish_reason": r.completion.finish_reason,
                }
                for r in group.rollouts
            ],
        }
        for group in groups
    ]
