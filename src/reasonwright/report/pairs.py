"""What one stage adds to another, problem by problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonwright.evaluation.compare import compare_greedy
from reasonwright.report.bars import Bar
from reasonwright.report.figures import gain
from reasonwright.report.read import Row, rows
from reasonwright.report.stages import name_of

PAIRS = (("base_cot", "sft"), ("sft", "grpo"), ("grpo", "student"), ("student_sft", "student"))
FORMS = ("strict", "lenient")


@dataclass(frozen=True, slots=True)
class Difference:
    """Second minus first in one form's accuracy."""

    value: float
    ci95: tuple[float, float]
    p: float
    only_first: int
    only_second: int
    n: int


@dataclass(frozen=True, slots=True)
class Pair:
    first: str
    second: str
    label: str
    style: str
    strict: Difference
    lenient: Difference


def load_pairs(run: Path) -> list[Pair]:
    """Each pair on the run's own task, then on the others that both were evaluated on."""
    tasks = sorted({path.stem.partition(".")[2] for path in (run / "eval").glob("*.*.jsonl")})
    pairs = []
    for suffix in ("", *(f".{task}" for task in tasks)):
        for first, second in PAIRS:
            one, other = (load_judged(run / "eval" / f"{stage}{suffix}.jsonl") for stage in (first, second))
            pair = compare_judged(one, other)
            if pair:
                task = name_of(second + suffix)[0].partition(":")[2]
                label = f"{name_of(first)[0]} → {name_of(second)[0]}" + (f",{task}" if task else "")
                pairs.append(Pair(first + suffix, second + suffix, label, name_of(second)[1], *pair))
    return pairs


def load_judged(file: Path) -> dict[str, Row]:
    """Problem id -> its two verdicts."""
    return {
        str(row["id"]): {"id": str(row["id"]), **{form: row.get(form) is True for form in FORMS}}
        for row in rows(file)
        if "id" in row
    }


def compare_judged(one: dict[str, Row], other: dict[str, Row]) -> tuple[Difference, Difference] | None:
    """Strict and lenient difference on the problems that both answered; None where there is none."""
    shared = [key for key in one if key in other]
    if not shared:
        return None
    found = compare_greedy([one[key] for key in shared], [other[key] for key in shared])
    strict, lenient = (
        Difference(c["difference"], c["ci95"], c["p"], c["only_first"], c["only_second"], c["n"])
        for c in (found[form] for form in FORMS)
    )
    return strict, lenient


def pair_bars(pairs: Sequence[Pair]) -> list[Bar]:
    """Strict differences; for the base, which never saw the form, lenient ones."""
    bars = []
    for pair in pairs:
        base = pair.first.startswith("base")
        shown = pair.lenient if base else pair.strict
        name = pair.label + (" (lenient)" if base else "")
        bars.append(Bar(name, shown.value, gain(shown.value), pair.style, shown.ci95))
    return bars
