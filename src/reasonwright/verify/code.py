"""Answers that are programs: the last fenced block of Python after the thought, run against the problem's tests."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from reasonwright.types import UserError, Verdict
from reasonwright.verify import sandbox

MAX_CHARS = 20_000  # of a program


class CodeGold(NamedTuple):
    """What a right program does. As text, in `Problem.answer`, it is JSON with these keys."""

    function: str
    """The name that the program must define: "add"."""
    tests: list[dict[str, Any]]
    """[{"args": [2, 3], "returns": 5}, …]: JSON values, so a tuple is a list and a set is a sorted list."""

    def to_text(self) -> str:
        return json.dumps(self._asdict(), ensure_ascii=False, default=float)  # rows are read with exact decimals


def check_code(gold: str) -> CodeGold:
    """The gold answer read; raises `UserError` where it is not one, and where programs can't be run safely."""
    sandbox.require()
    try:
        read = json.loads(gold)
        function, tests = read["function"], read["tests"]
        right = isinstance(function, str) and function.isidentifier() and isinstance(tests, list) and tests
        if right and all(set(test) == {"args", "returns"} and isinstance(test["args"], list) for test in tests):
            return CodeGold(function, tests)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise UserError(
        f"tests {gold[:80]!r} can't be read: a code problem needs a `function` (its name) and `tests` of the form "
        '[{"args": [2, 3], "returns": 5}].'
    )


def grade_code(answer_text: str, gold: str, has_think_form: bool) -> Verdict:
    """Right where the function returns what every test says; strict where the text has one block of Python only."""
    function, tests = check_code(gold)
    blocks = python_blocks(answer_text)
    if not blocks or len(blocks[-1]) > MAX_CHARS:
        return Verdict(False, False, None)
    replies = sandbox.run(blocks[-1], function, [test["args"] for test in tests])
    right = replies == [[test["returns"]] for test in tests]
    return Verdict(right and has_think_form and len(blocks) == 1, right, blocks[-1])


def python_blocks(text: str) -> list[str]:
    """What stands between ```` ```python ```` and ```` ``` ````, each on a line of its own; blocks that are not closed
    or of another language are left out."""
    blocks: list[str] = []
    inside: list[str] | None = None
    is_python = False
    for line in text.split("\n"):
        fence = line.strip()
        if inside is None:
            if fence.startswith("```"):
                inside, is_python = [], fence in ("```python", "```py")
        elif fence == "```":
            if is_python:
                blocks.append("\n".join(inside) + "\n")
            inside = None
        else:
            inside.append(line)
    return blocks
