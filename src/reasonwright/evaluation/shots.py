"""Worked examples that a model sees before the question."""

from __future__ import annotations

from reasonwright.tasks.base import Task

DRAWN = 4
"""Problems drawn for each example, as not every problem comes with a solution."""


def worked_examples(source: Task, count: int, seed: int) -> list[tuple[str, str, str]]:
    """Up to `count` examples (question, solution, answer) from the RL split, never the evaluation's."""
    if not count:
        return []  # of a task that is for evaluation only, which has no other split
    problems = source.problems("rl", DRAWN * count, seed)
    return [(p.question, p.solution, p.answer) for p in problems if p.solution][:count]
