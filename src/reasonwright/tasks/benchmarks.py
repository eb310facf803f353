"""Published sets that only measure: MATH-500, SVAMP and GSM-Hard, each from a file that the user names.

They have no training split. GSM-Hard is GSM8K's test set with larger numbers; training on it would spoil both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reasonwright.tasks.base import Split
from reasonwright.tasks.rows import Row, RowError, check, number_or_text, read_json_list, read_jsonl, text
from reasonwright.tasks.splits import require_split
from reasonwright.types import Problem, UserError

_SPLITS: tuple[Split, ...] = ("eval",)


def _math500(row: Row, number: int) -> Problem:
    """`{"problem", "answer", "level"}`: competition problems, answers in LaTeX; the difficulty is the level, 1 to 5
    (Lightman et al., arXiv:2305.20050; Hendrycks et al., arXiv:2103.03874)."""
    level = row.get("level")
    if not isinstance(level, int) or isinstance(level, bool):
        raise RowError("`level` must be a whole number")
    gold = check(number_or_text(row, "answer"), "latex")
    question = text(row, "problem").strip()
    return Problem(f"math500/{number}", question, gold, difficulty=level, answer_kind="latex")


def _svamp(row: Row, number: int) -> Problem:
    """`{"Body", "Question", "Answer"}`: short word problems, answers such as 51.0 (Patel et al., arXiv:2103.07191)."""
    question = _join(text(row, "Body").strip(), text(row, "Question").strip())
    return Problem(f"svamp/{number}", question, check(number_or_text(row, "Answer"), "number"))


def _gsm_hard(row: Row, number: int) -> Problem:
    """`{"input", "target"}`: GSM8K test with large numbers (Gao et al., arXiv:2211.10435).

    The targets were computed in floats. What they carry of its rounding is cut off; where the true value never ends
    (a third of something) no decimal equals the target, and the verifier, which is exact, accepts nothing else."""
    gold = check(number_or_text(row, "target", computed=True), "number")
    return Problem(f"gsm_hard/{number}", text(row, "input").strip(), gold)


def _join(body: str, question: str) -> str:
    """A third of SVAMP's bodies break off before a comma: "If he had $ 4 at the start" + "How much did he spend?"."""
    if body[-1] in ".?!":
        return f"{body} {question}"
    clause = body[max(body.rfind(mark) for mark in ".?!") + 1 :].split()
    if clause[0] != "If":
        return f"{body}. {question}"
    first, _, rest = question.partition(" ")
    return f"{body}, {first.lower() if first in {'How', 'What', 'Which'} else first} {rest}"


@dataclass(frozen=True)
class _Source:
    parse: Callable[[Row, int], Problem]
    file: str
    """Its name inside a folder."""


SOURCES = {
    "math500": _Source(_math500, "test.jsonl"),
    "svamp": _Source(_svamp, "SVAMP.json"),
    "gsm_hard": _Source(_gsm_hard, "gsmhardv2.jsonl"),
}


class Benchmark:
    """One of `SOURCES`, from its file or from a folder that holds it under its published name.

    A file that ends in .json is one JSON list, any other JSON Lines. The only split is `eval`. Raises UserError for
    another split, a missing file and bad rows.
    """

    def __init__(self, name: str, path: str, *, skip_bad_rows: bool = False) -> None:
        self.name = name
        self.skip_bad_rows = skip_bad_rows
        self._problems: list[Problem] | None = None
        self._source = SOURCES[name]
        place = Path(path).expanduser()
        self.path = place / self._source.file if place.is_dir() else place
        if not self.path.is_file():
            raise UserError(f"{name}: there is no file {self.path}")

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        """The first `count` rows, in the order of the file; `seed` changes nothing."""
        require_split(self.name, split, _SPLITS, "it is for evaluation only")
        if self._problems is None:
            read = read_json_list if self.path.suffix == ".json" else read_jsonl
            rows = read(self.path, self._source.parse, skip_bad_rows=self.skip_bad_rows)
            self._problems = [problem for _, problem in rows]
        return self._problems[:count]
