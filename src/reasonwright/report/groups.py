"""A group of rollouts early in training and one late: what the model was rewarded for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from reasonwright.report.answers import Answer, as_text, clip, split
from reasonwright.report.figures import count, decimal, signed
from reasonwright.report.read import Row, as_dict, as_list, number, rows

NEAR = 24
"""How many logged groups at either end of the run are looked at."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One completion of the group."""

    answer: Answer
    reward: str
    parts: str
    """ "accuracy 1, format 0.5"."""
    advantage: str
    sign: str
    """CSS class: "plus", "minus" or "zero"."""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    question: str
    gold: str
    scored: list[Scored]


def load_groups(run: Path) -> list[Group]:
    """The early and the late group; fewer where fewer were logged."""
    stream = (row for row in rows(run / "grpo" / "rollouts.jsonl") if as_list(row.get("completions")))
    first = list(islice(stream, NEAR))
    last = list(deque(stream, NEAR)) or first
    if not first:
        return []
    early, late = _telling(first), _telling(list(reversed(last)))
    return [_group("Early", early)] + ([_group("Late", late)] if late is not early else [])


def _telling(groups: list[Row]) -> Row:
    """The first group with both right and wrong completions: one that taught something."""

    def mixed(group: Row) -> bool:
        return len({as_dict(c).get("strict") is True for c in as_list(group.get("completions"))}) == 2

    return next(filter(mixed, groups), groups[0])


def _group(when: str, row: Row) -> Group:
    step = number(row.get("step"))
    return Group(
        title=f"{when}: step {count(step)}" if step is not None else when,
        question=clip(as_text(row.get("question"))),
        gold=clip(as_text(row.get("gold")), 80),
        scored=[_scored(as_dict(completion)) for completion in as_list(row.get("completions"))[:16]],
    )


def _scored(row: Row) -> Scored:
    advantage = number(row.get("advantage"))
    sign = "plus" if (advantage or 0) > 0 else "minus" if (advantage or 0) < 0 else "zero"
    return Scored(split(row), decimal(number(row.get("reward"))), _parts(row.get("parts")), signed(advantage), sign)


def _parts(value: object) -> str:
    parts: Iterable[tuple[str, object]] = as_dict(value).items()
    return ", ".join(f"{name} {decimal(number(part))}" for name, part in parts)
