"""The word problems as a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Literal

from reasonwright.chat import render_completion
from reasonwright.tasks.base import Split
from reasonwright.tasks.splits import SHARES, question_id, split_of
from reasonwright.tasks.word_problems.arithmetic import Step
from reasonwright.tasks.word_problems.story import Plot, cast, draw_plot, named, tell
from reasonwright.tasks.word_problems.styles import STYLES, full
from reasonwright.types import Problem, UserError

SFT_STYLES: Mapping[str, float] = {
    "bare": 0.35,
    "last": 0.25,
    "terse": 0.08,
    "full": 0.17,
    "check": 0.05,
    "slip": 0.05,
    "wrong": 0.05,
}
"""Shares of the ways of answering in the SFT split: mixed quality, as real chain-of-thought data is."""


CASTS = 5
"""How often a story gets other names before another is told, where its hash is not the wanted split's."""


def draw_questions(
    rng: Random, split: Split, min_steps: int, max_steps: int, plots: Callable[[Random], Plot] = draw_plot
) -> Iterator[tuple[str, str, list[Step]]]:
    """Endless (question_id, question, steps) of one split; the number of steps is uniform. May repeat a question."""
    while True:
        steps = min_steps + int(rng.random() * (max_steps - min_steps + 1))
        yield _draw_question(rng, split, steps, plots(rng))


def _draw_question(rng: Random, split: Split, steps: int, plot: Plot) -> tuple[str, str, list[Step]]:
    """Steps and plot are given, so that no split has more of one kind than another."""
    while True:
        story = tell(rng, steps, plot)
        text = story.text
        for _ in range(CASTS if story.entered else 1):
            names = cast(rng, story)
            question = named(text, names)
            if split_of(question) == split:
                return (
                    question_id(question),
                    question,
                    [replace(step, phrase=named(step.phrase, names)) for step in story.steps],
                )


class WordProblems:
    """Grade-school word problems with `min_steps` to `max_steps` operations, uniformly; difficulty is their number.

    The rows of the split "sft" carry a `completion` in mixed styles (`SFT_STYLES`), or with `sft_style="full"` one that
    is always right and in full steps; the questions are the same in both.
    """

    def __init__(
        self,
        min_steps: int = 1,
        max_steps: int = 8,
        name: str = "word_problems",
        sft_style: Literal["mixed", "full"] = "mixed",
    ):
        if not 1 <= min_steps <= max_steps <= 12:
            raise UserError(f"word_problems: steps must lie between 1 and 12, not {min_steps} to {max_steps}")
        if sft_style not in ("mixed", "full"):
            raise UserError(f'word_problems: sft_style is "mixed" or "full", not "{sft_style}"')
        self.min_steps, self.max_steps, self.name, self.sft_style = min_steps, max_steps, name, sft_style

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        if split not in SHARES:
            raise UserError(f'{self.name}: no split "{split}"; there are {", ".join(SHARES)}')
        if count is None:
            raise UserError(f"{self.name} makes problems without end: say how many (count)")
        key = f"{self.min_steps}-{self.max_steps}/{split}/{seed}"
        questions = draw_questions(Random(f"questions/{key}"), split, self.min_steps, self.max_steps)
        style_rng = Random(f"styles/{key}")  # apart, so that the questions do not depend on the style
        found: dict[str, Problem] = {}
        while len(found) < count:
            name, question, steps = next(questions)
            if name not in found:
                found[name] = self._problem(name, question, steps, style_rng if split == "sft" else None)
        return list(found.values())

    def _problem(self, name: str, question: str, steps: list[Step], style_rng: Random | None) -> Problem:
        solution = full(steps, Random(0))
        completion, style = None, "full"
        if style_rng is not None:
            if self.sft_style == "mixed":
                style = style_rng.choices(list(SFT_STYLES), list(SFT_STYLES.values()))[0]
            written = STYLES[style](steps, style_rng)
            completion = render_completion(written.text, written.answer)
        return Problem(
            id=f"word_problems/{name}",
            question=question,
            answer=solution.answer,
            solution=solution.text,
            completion=completion,
            difficulty=len(steps),
            metadata={"style": style},
        )


class LongWordProblems(WordProblems):
    """9 to 12 steps, more than any in training: for evaluation only."""

    def __init__(self, name: str = "word_problems_long"):
        super().__init__(9, 12, name)

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        if split != "eval":
            raise UserError(f'{self.name} is for evaluation only: there is no split "{split}", use "eval"')
        return super().problems(split, count, seed)
