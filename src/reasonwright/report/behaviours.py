"""What the thoughts do and whether they matter, from eval/behaviours.json (`evaluation/behaviours.py` writes it)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonwright.report.answers import as_text, clip
from reasonwright.report.read import Row, as_dict, as_list, number, pair, read_json
from reasonwright.report.stages import name_of

NAMES = {"verification": "checks an earlier result", "backtracking": "takes a result back"}
CHANGES = {
    "last_step": "last step's number wrong",
    "earlier_step": "an earlier step's number wrong",
    "cut": "cut in half",
    "removed": "removed",
}
Interval = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Share:
    """A figure with its interval and what it is a figure of."""

    value: float | None
    ci95: Interval
    n: float | None = None


@dataclass(frozen=True, slots=True)
class Behaviour:
    rate: Share
    words: float | None
    minus_base: Share
    useful: Share
    """Accuracy with minus without at equal difficulty; n: thoughts with it."""
    examples: list[tuple[str, str]]
    """(earlier equation, the one that checks it or replaces it)"""


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to the answers when the thought is changed."""

    name: str
    changed: Share
    accuracy: float | None
    drop: Share
    """Fall of the gold answer's probability."""


@dataclass(frozen=True, slots=True)
class Thoughts:
    """A stage's thoughts."""

    key: str
    label: str
    style: str
    n: float | None
    behaviours: dict[str, Behaviour]
    tokens: float | None
    slope: Share
    """More tokens for each further level of difficulty."""
    valid: Share
    right_from_wrong: Share
    changes: dict[str, Change]
    intact: float | None
    """Accuracy with the whole thought, of the problems that were changed."""
    followed: float | None
    """Share that answers with the wrong number put in."""


def load_thoughts(run: Path) -> list[Thoughts]:
    """The measured stages; [] where nothing was measured."""
    found = as_dict(read_json(run / "eval" / "behaviours.json"))
    return [_thoughts(key, as_dict(value)) for key, value in found.items() if as_dict(value)]


def stage_thoughts(thoughts: Sequence[Thoughts], key: str) -> Thoughts | None:
    return next((t for t in thoughts if t.key == key), None)


def _thoughts(key: str, row: Row) -> Thoughts:
    thinking, steps, causal = (as_dict(row.get(name)) for name in ("thinking", "steps", "causal"))
    label, style = name_of(key)
    return Thoughts(
        key=key,
        label=label,
        style=style,
        n=number(row.get("n")),
        behaviours={name: _behaviour(as_dict(row.get(name))) for name in NAMES},
        tokens=number(thinking.get("tokens")),
        slope=Share(number(thinking.get("slope_tokens")), pair(thinking.get("slope_tokens_ci95"))),
        valid=Share(number(steps.get("valid_share")), pair(steps.get("ci95")), number(steps.get("n"))),
        right_from_wrong=_share(steps.get("right_from_wrong_steps"), "share"),
        changes={name: _change(name, causal[name]) for name in CHANGES if as_dict(causal.get(name))},
        intact=number(as_dict(causal.get("intact")).get("accuracy")),
        followed=number(as_dict(causal.get("last_step")).get("followed")),
    )


def _behaviour(row: Row) -> Behaviour:
    useful = as_dict(row.get("usefulness"))
    examples = [
        (clip(as_text(example.get("earlier")), 120), clip(as_text(example.get("later")), 120))
        for example in map(as_dict, as_list(row.get("examples"))[:3])
    ]
    return Behaviour(
        rate=_share(row, "rate"),
        words=number(row.get("keyword_rate")),
        minus_base=_share(row.get("minus_base"), "difference"),
        useful=Share(number(useful.get("difference")), pair(useful.get("ci95")), number(useful.get("n_with"))),
        examples=[example for example in examples if any(example)],
    )


def _change(name: str, row: Row) -> Change:
    drop = Share(number(row.get("p_drop")), pair(row.get("p_drop_ci95")), number(row.get("n")))
    return Change(CHANGES[name], _share(row, "changed"), number(row.get("accuracy")), drop)


def _share(value: object, key: str) -> Share:
    row = as_dict(value)
    return Share(number(row.get(key)), pair(row.get("ci95")), number(row.get("n")))
