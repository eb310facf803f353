"""What each stage took: seconds, tokens sampled and tokens trained on, from the stages' own files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from reasonwright.report.read import Row, as_dict, metrics, number, read_json
from reasonwright.report.stages import evaluation_files

PLACES = {
    "SFT": "sft",
    "GRPO": "grpo",
    "Rejection sampling": "rejection",
    "Student, SFT data": "distill/student_sft",
    "Student, distilled": "distill/student",
}


@dataclass(frozen=True, slots=True)
class Cost:
    name: str
    seconds: float | None
    sampled: float | None
    """Tokens."""
    trained: float | None


def load_costs(run: Path) -> list[Cost]:
    """The stages that took any time so far, and all evaluations as one."""
    costs = []
    for name, place in PLACES.items():
        table = metrics(run / place / "metrics.jsonl")
        if place == "rejection":
            sampled = number(as_dict(read_json(run / place / "stats.json")).get("tokens"))
        else:
            sampled = _total(_sampled(row) for row in table)
        costs.append(Cost(name, _seconds(run / place), sampled, _total(number(row.get("tokens")) for row in table)))
    results = [as_dict(read_json(file)) for file in evaluation_files(run)]
    costs.append(
        Cost("Evaluation", _total(number(r.get("seconds")) for r in results), _total(map(_asked, results)), None)
    )
    return [cost for cost in costs if cost.seconds is not None]


def _seconds(folder: Path) -> float | None:
    """Of a finished stage, or of one that was stopped."""
    for name in ("stage.json", "spent.json"):
        seconds = number(as_dict(read_json(folder / name)).get("seconds"))
        if seconds is not None:
            return seconds
    return None


def _sampled(row: Row) -> float | None:
    speed, seconds = number(row.get("tokens_per_s/sampling")), number(row.get("seconds/sampling"))
    return None if speed is None or seconds is None else speed * seconds


def _asked(result: Row) -> float | None:
    n, tokens = number(result.get("n")), number(result.get("mean_tokens"))
    return None if n is None or tokens is None else n * tokens


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
