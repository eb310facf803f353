"""Which split a question belongs to: a hash of its normalised text, whatever the seed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from reasonwright.tasks.base import Split

SHARES: Mapping[Split, int] = {"pretrain": 60, "sft": 10, "rl": 20, "eval": 10}
"""Per cent of all questions."""

_BUCKETS: tuple[Split, ...] = tuple(split for split, share in SHARES.items() for _ in range(share))
_NOT_WORDS = re.compile(r"[\W_]+")


def normalised(question: str) -> str:
    """
    >>> normalised("How many  apples, Anna?")
    'how many apples anna'
    """
    return _NOT_WORDS.sub(" ", question.casefold()).strip()


def digest(question: str) -> str:
    """Twelve hexadecimal digits that stand for the question."""
    return hashlib.sha256(normalised(question).encode()).hexdigest()[:12]


def split_of(digest: str) -> Split:
    """The split of a question by its `digest`."""
    return _BUCKETS[int(digest, 16) % 100]
