"""Answers kept in chunks, by what decides them: asked again they are read, stopped they are gone on with."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import reasonwright
from reasonwright.evaluation.evaluate import Asking, Row
from reasonwright.models.resolve import MODEL_FILES, base_of, model_folder
from reasonwright.models.settings import LoadOptions
from reasonwright.runlog import read_json, write_json
from reasonwright.types import Problem

ANSWERS_PER_CHUNK = 256
_DECIDERS = ("chat.py", "evaluation/evaluate.py", "sampling/*.py", "verify/*.py")
"""Our own sources that decide a row: where one changes, kept answers no longer count."""


def cache_folder() -> Path:
    """$REASONWRIGHT_CACHE, else ~/.cache/reasonwright."""
    return Path(os.environ.get("REASONWRIGHT_CACHE") or "~/.cache/reasonwright").expanduser()


def key_of(folder: Path, problems: Sequence[Problem], asking: Asking, options: LoadOptions) -> str:
    """A hash of the model's files, the problems, the way of asking and the code that asks and judges. Not of the
    device: answers are the model's, and seconds are those of where they were sampled.

    Of the type that it computes in, which decides close calls, and of `trust_remote_code`: a folder whose code is not
    trusted is still loaded where transformers has a class of its type, and that need not compute the same.
    """
    asked = [(p.id, p.question, p.answer, p.answer_kind, p.difficulty) for p in problems]
    package = Path(reasonwright.__file__).parent
    base = base_of(folder)
    parts = [
        hash_files(folder, MODEL_FILES),
        hash_files(package, _DECIDERS),
        hashlib.sha256(json.dumps(asked).encode()).hexdigest(),
        json.dumps(asdict(asking)),
        *([] if base is None else [hash_files(model_folder(base), MODEL_FILES)]),
        f"{options.compute} {options.trust_remote_code}",
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def hash_files(folder: Path, patterns: Sequence[str]) -> str:
    """sha256 over names and contents of the files that match."""
    whole = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            whole.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


class Answers:
    """The kept answers of one key: a file a chunk, written whole or not at all."""

    def __init__(self, folder: Path, problems: Sequence[Problem], asking: Asking):
        self.folder, self.problems = folder, problems
        self.per_chunk = max(1, ANSWERS_PER_CHUNK // asking.samples)
        self.starts = range(0, len(problems), self.per_chunk)

    def missing(self) -> list[int]:
        """Where the chunks begin that are not there yet."""
        return [start for start in self.starts if not self._file(start).exists()]

    def missing_problems(self) -> int:
        return sum(min(self.per_chunk, len(self.problems) - start) for start in self.missing())

    def add(self, answer: Callable[[Sequence[Problem]], list[Row]]) -> None:
        """Have the missing chunks answered."""
        for start in self.missing():
            began = time.perf_counter()
            rows = answer(self.problems[start : start + self.per_chunk])
            write_json(self._file(start), {"seconds": time.perf_counter() - began, "rows": rows})

    def read(self) -> tuple[list[Row], float]:
        """All rows in the problems' order, and the seconds that they took to sample and judge."""
        chunks = [read_json(self._file(start)) for start in self.starts]
        return [row for chunk in chunks for row in chunk["rows"]], sum(chunk["seconds"] for chunk in chunks)

    def _file(self, start: int) -> Path:
        return self.folder / f"{start:06d}.json"
