"""Anyone's own problems, from JSON Lines files."""

from __future__ import annotations

from pathlib import Path

from reasonwright.tasks.base import Split
from reasonwright.tasks.jsonl_rows import parse_row
from reasonwright.tasks.rows import read_jsonl
from reasonwright.tasks.splits import require_split, split_of, splits_of_file
from reasonwright.types import Problem, UserError

_SPLITS: tuple[Split, ...] = ("sft", "rl", "eval")
_FILES: dict[Split, tuple[str, ...]] = {
    "sft": ("sft.jsonl", "train.jsonl"),
    "rl": ("rl.jsonl", "train.jsonl"),
    "eval": ("eval.jsonl", "test.jsonl"),
}


class Jsonl:
    """Rows of one of the forms that `jsonl_rows.parse_row` describes.

    A folder holds sft.jsonl, rl.jsonl and eval.jsonl, or train.jsonl (for sft and rl) and test.jsonl; that they share
    no question is its author's care. A single file whose name begins with train, sft, rl, test or eval serves those
    splits with all its rows. Any other single file is divided by the hash of the normalised question: a tenth is eval,
    the rest is both sft and rl. Raises UserError for a missing place, a bad row, a split without rows, and for a row
    without an answer where answers are needed: everywhere but in sft.
    """

    name = "jsonl"

    def __init__(self, path: str, *, skip_bad_rows: bool = False) -> None:
        self.path = Path(path).expanduser()
        self.skip_bad_rows = skip_bad_rows
        self._read: dict[tuple[Path, bool], list[Problem]] = {}
        if not self.path.exists():
            raise UserError(f"jsonl: there is no file or folder {self.path}")

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        """The first `count` rows of a split, in the order of the file; `seed` changes nothing."""
        require_split(self.name, split, _SPLITS)
        path = self._file(split)
        rows = self._rows(path, answers=split != "sft")
        if self.path.is_file() and splits_of_file(path) is None:
            rows = [row for row in rows if (split_of(row.question) == "eval") == (split == "eval")]
            if not rows:
                raise UserError(f"{path}: none of its rows falls into {split}; name a folder with files for each split")
        return rows[:count]

    def _file(self, split: Split) -> Path:
        if self.path.is_file():
            require_split(f"jsonl:{self.path}", split, splits_of_file(self.path) or _SPLITS, "by the file's name")
            return self.path
        for name in _FILES[split]:
            if (self.path / name).is_file():
                return self.path / name
        raise UserError(f"jsonl: {self.path} holds neither {' nor '.join(_FILES[split])}, so it has no split {split!r}")

    def _rows(self, path: Path, answers: bool) -> list[Problem]:
        key = (path, answers)
        if key not in self._read:
            rows = read_jsonl(
                path,
                lambda row, line: parse_row(row, f"{path.stem}:{line}", needs_answer=answers),
                skip_bad_rows=self.skip_bad_rows,
            )
            self._read[key] = [problem for _, problem in rows]
        return self._read[key]
