"""GSM8K: 7,473 + 1,319 grade-school word problems with human solutions (Cobbe et al., arXiv:2110.14168; MIT)."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

from reasonwright.tasks.base import Split
from reasonwright.tasks.rows import Row, RowError, check, read_jsonl, text
from reasonwright.tasks.splits import require_split, splits_of_file
from reasonwright.types import Problem, UserError

HUB_ID = "openai/gsm8k"
_FILES: dict[Split, str] = {"sft": "train", "rl": "train", "eval": "test"}
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_FINAL = re.compile(r"####[ \t]*(\S[^\n]*)")


class GSM8K:
    """Rows `{"question", "answer"}`; the answer is a worked solution with calculator marks and a last line `#### n`.

    From the hub (`openai/gsm8k`, extra `hub`) where no path is given, else from a folder with train.jsonl and
    test.jsonl, or from one such file. Splits: `sft` and `rl` are both the train set, as is usual in the field; `eval`
    is the test set. One file serves sft and rl if its name begins with "train", else eval alone.
    The difficulty is the number of calculator marks. Raises UserError for a place that can't be read and for bad rows.
    """

    name = "gsm8k"

    def __init__(self, path: str | None = None, *, skip_bad_rows: bool = False) -> None:
        self.path = Path(path).expanduser() if path else None
        self.skip_bad_rows = skip_bad_rows
        self._read: dict[str, list[Problem]] = {}
        if self.path and not self.path.exists():
            raise UserError(f"gsm8k: there is no file or folder {self.path}")

    def problems(self, split: Split, count: int | None = None, seed: int = 0) -> list[Problem]:
        """The first `count` rows of a split, in the order of the file; `seed` changes nothing."""
        require_split(self.name, split, tuple(_FILES))
        part = _FILES[split]
        if part not in self._read:
            self._read[part] = self._from_path(self.path, split, part) if self.path else _from_hub(part)
        return self._read[part][:count]

    def _from_path(self, path: Path, split: Split, part: str) -> list[Problem]:
        if path.is_dir():
            path = path / f"{part}.jsonl"
            if not path.is_file():
                raise UserError(f"gsm8k: {path} is missing; the folder must hold train.jsonl and test.jsonl")
        else:
            serves: tuple[Split, ...] = ("sft", "rl") if splits_of_file(path) == ("sft", "rl") else ("eval",)
            require_split(f"gsm8k:{path}", split, serves, "by the file's name")
        rows = read_jsonl(path, lambda row, line: parse_row(row, f"{part}:{line}"), skip_bad_rows=self.skip_bad_rows)
        return [problem for _, problem in rows]


def parse_row(row: Row, place: str) -> Problem:
    """A row as a problem whose solution is fit to be a thought: no calculator marks, no `####` line."""
    source = text(row, "answer").strip()
    body, _, last = source.rpartition("\n")
    final = _FINAL.fullmatch(last)
    if final is None:
        raise RowError("the last line of `answer` must be `#### ` and the answer")
    solution, marks = _CALCULATOR.subn("", body)
    return Problem(
        id=f"gsm8k/{place}",
        question=text(row, "question").strip(),
        answer=check(final[1].strip().replace(",", ""), "number"),
        solution=solution.strip() or None,
        difficulty=marks or None,
    )


def _from_hub(part: str) -> list[Problem]:
    return [parse_row(dict(row), f"{part}:{line}") for line, row in enumerate(_download(part), 1)]


def _download(part: str) -> Any:
    """The rows from the hub, or from its cache where HF_HUB_OFFLINE is set. Asks once, briefly, whether the hub is
    there, because `datasets` alone retries for half a minute."""
    instead = "name a folder that holds train.jsonl and test.jsonl as gsm8k:PATH"
    if importlib.util.find_spec("datasets") is None:
        raise UserError(f"gsm8k from the hub needs `pip install 'reasonwright[hub]'`; or {instead}")
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}
    try:
        if not offline:
            from huggingface_hub import HfApi

            HfApi().dataset_info(HUB_ID, timeout=10)
        from datasets import load_dataset

        return load_dataset(HUB_ID, "main", split=part)
    except Exception as error:  # each version of the client and of its HTTP library has errors of its own
        reason = "it is not in the cache, and HF_HUB_OFFLINE is set" if offline else _first_line(error)
        cached = "" if offline else ", or set HF_HUB_OFFLINE=1 where it is in the cache"
        raise UserError(f"{HUB_ID} can't be loaded from the hub ({reason}); {instead}{cached}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
