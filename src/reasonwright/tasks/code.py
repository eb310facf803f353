"""Programming problems of our own, judged by running the answer against tests in a sandbox."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from reasonwright.chat import render_program
from reasonwright.tasks.base import Split
from reasonwright.tasks.splits import question_id, require_split
from reasonwright.types import Problem
from reasonwright.verify import check_gold
from reasonwright.verify.code import CodeGold

HOW_TO_ANSWER = "\nAnswer with one block that begins with ```python and ends with ```."
_FILE = Path(__file__).with_name("code_problems.yaml")
_SPLITS: tuple[Split, ...] = ("sft", "rl", "eval")


class Code:
    """A few dozen functions to write, each with tests and a worked solution; enough to try the machinery.

    A problem belongs to one of sft, rl and eval, by the hash of its question. Raises `UserError` where programs can't
    be run safely.
    """

    name = "code"

    def __init__(self) -> None:
        check_gold(CodeGold("f", [{"args": [], "returns": None}]).to_text(), "code")

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        """The first `count` problems of a split, in the order of the file; `seed` changes nothing."""
        require_split(self.name, split, _SPLITS)
        mine = [p for p in self._all if _SPLITS[int(p.id.removeprefix("code/"), 16) % len(_SPLITS)] == split]
        return mine[:count]

    @cached_property
    def _all(self) -> list[Problem]:
        return [_problem(row) for row in yaml.safe_load(_FILE.read_text(encoding="utf-8"))]


def _problem(row: dict[str, Any]) -> Problem:
    name = re.search(r"^def (\w+)", row["code"], re.MULTILINE)
    assert name is not None
    tests = [{"args": arguments, "returns": result} for arguments, result in row["tests"]]
    return Problem(
        id=f"code/{question_id(row['question'])}",
        question=row["question"] + HOW_TO_ANSWER,
        answer=CodeGold(name[1], tests).to_text(),
        completion=render_program(row["thought"], row["code"]),
        answer_kind="code",
    )
