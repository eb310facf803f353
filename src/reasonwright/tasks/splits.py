"""Which split a question belongs to: decided by the question alone, so that no seed and no order can move it."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path

from reasonwright.tasks.base import Split
from reasonwright.types import UserError

SHARES: dict[Split, int] = {"pretrain": 60, "sft": 10, "rl": 20, "eval": 10}
"""Per cent of all questions. Frozen, as is the hash: moving a question would leak it into a shipped model's data."""

_BUCKETS: tuple[Split, ...] = tuple(split for split, share in SHARES.items() for _ in range(share))
_QUOTES = re.compile("[\"'`‘’“”]")
_SENTENCE_MARKS = re.compile(r"(?<=\w)[.,;:!?]+(?=\s|$)|\s[!?]+$")

_SPLITS_BY_WORD: dict[str, tuple[Split, ...]] = {
    "train": ("sft", "rl"),
    "sft": ("sft",),
    "rl": ("rl",),
    "test": ("eval",),
    "eval": ("eval",),
}


def normalise_question(question: str) -> str:
    """The question without what does not make it another one: case, white space, quotes, marks after a word.

    Operators, decimal points and the drawings of mazes stay: 4 - 1 and 4 + 1 are two questions.

    >>> normalise_question('What  is 1.5 + 2?') == normalise_question('what is 1.5 + 2')
    True
    """
    text = unicodedata.normalize("NFKC", question).casefold()
    text = " ".join(_QUOTES.sub("", text).split())
    return _SENTENCE_MARKS.sub("", text)


def question_id(question: str) -> str:
    """Twelve hexadecimal digits that stand for the question: of the SHA-256 of its normal form."""
    return hashlib.sha256(normalise_question(question).encode()).hexdigest()[:12]


def split_of(question: str) -> Split:
    """The one split of a question, by its `question_id`."""
    return _BUCKETS[int(question_id(question), 16) % 100]


def splits_of_file(path: Path) -> tuple[Split, ...] | None:
    """The splits that a file's name gives it (its first word is train, sft, rl, test or eval), None where it says none.

    >>> splits_of_file(Path("test_hard.jsonl"))
    ('eval',)
    """
    word = re.match(r"[a-z]*", path.stem.lower())
    return _SPLITS_BY_WORD.get(word.group() if word else "")


def require_split(task: str, split: Split, allowed: Collection[Split], why: str = "") -> None:
    """Refuse a split that a task does not have."""
    if split not in allowed:
        raise UserError(f"task {task} has no split {split!r}{f' ({why})' if why else ''}; use {' or '.join(allowed)}")
