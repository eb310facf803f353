"""What a task is: a named source of problems."""

from __future__ import annotations

from typing import Literal, Protocol

from reasonwright.types import Problem

Split = Literal["pretrain", "sft", "rl", "eval"]


class Task(Protocol):
    """A source of problems. Files have fixed problems; generators make as many as asked for."""

    name: str
    """As it is written in a recipe: "gsm8k"."""

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        """`count` problems of a split, the same for the same arguments; no problem is in two splits.

        A task over files returns the first `count` rows in the files' order (all where `count` is None or larger) and
        ignores `seed`; a generator needs `count`. Raises UserError where the task has no such split.
        """
        ...
