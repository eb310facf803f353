"""Worked examples come from the training problems, in their order, and only where there is a solution."""

from __future__ import annotations

from pathlib import Path

from reasonwright.evaluation.shots import worked_examples
from reasonwright.tasks import load_task
from reasonwright.types import Problem


class Half:
    """Every second problem has a solution."""

    name = "half"

    def __init__(self) -> None:
        self.asked: list[tuple] = []

    def problems(self, split, count=None, seed=0):
        self.asked.append((split, count, seed))
        return [Problem(str(i), f"q{i}", f"{i}", solution=f"s{i}" if i % 2 else None) for i in range(min(count, 8))]


def test_the_first_that_have_a_solution():
    task = Half()
    assert worked_examples(task, 2, 7) == [("q1", "s1", "1"), ("q3", "s3", "3")]
    assert [shot[0] for shot in worked_examples(task, 9, 7)] == ["q1", "q3", "q5", "q7"]  # there are no more
    assert task.asked == [("rl", 8, 7), ("rl", 36, 7)]


def test_none_are_asked_of_a_task_without_training_problems(fixtures: Path):
    assert worked_examples(load_task(f"svamp:{fixtures / 'svamp.json'}"), 0, 0) == []


def test_the_seed_chooses_among_generated_problems():
    task = load_task("word_problems")
    examples = worked_examples(task, 2, 0)
    assert examples == [(p.question, p.solution, p.answer) for p in task.problems("rl", 8, 0)][:2]
    assert examples != worked_examples(task, 2, 1)
