"""The evaluated stages of a run, in the order of the pipeline, and what the report calls them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reasonwright.evaluation.intervals import wilson
from reasonwright.report.read import Row, as_dict, number, pair, read_json

NAMES = {
    "base_direct": ("Base, instant answer", "c0"),
    "base_cot": ("Base, step by step", "c5"),
    "sft": ("SFT", "c1"),
    "grpo": ("GRPO", "c2"),
    "student_base": ("Student, untrained", "c6"),
    "student_sft": ("Student, SFT data", "c4"),
    "student": ("Student, distilled", "c3"),
}
"""Stage -> (name, CSS class of its colour). Others are shown under their own name after these."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One evaluated model with its figures; None where a file does not say."""

    key: str
    label: str
    style: str
    ood: bool
    """Measured on another task than the run's own: eval/STAGE.TASK.json."""
    accuracy: float | None
    accuracy_lenient: float | None
    ci95: tuple[float, float] | None
    ci95_lenient: tuple[float, float] | None
    n: float | None
    mean_tokens: float | None
    truncated: float | None
    seconds: float | None
    by_difficulty: list[Level]


@dataclass(frozen=True, slots=True)
class Level:
    """A stage on the problems of one difficulty."""

    difficulty: float
    n: float | None
    accuracy: float | None
    mean_tokens: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the accuracy."""
        if self.accuracy is None or not self.n or not 0 <= self.accuracy <= 1 or self.n < 1:
            return None
        return wilson(round(self.accuracy * self.n), round(self.n))


def load_stages(run: Path) -> list[Stage]:
    """The stages of summary.json, and those that are evaluated but not summed up yet."""
    summary = as_dict(as_dict(read_json(run / "summary.json")).get("stages"))
    files = {path.stem: path for path in evaluation_files(run)}
    keys = sorted({*summary, *files}, key=_order)
    stages = []
    for key in keys:
        detail = as_dict(read_json(files[key])) if key in files else {}
        row = {**detail, **as_dict(summary.get(key))}
        if number(row.get("accuracy")) is not None or number(row.get("accuracy_lenient")) is not None:
            stages.append(_stage(key, row))
    return stages


def evaluation_files(run: Path) -> list[Path]:
    """Figures of one model on one task each."""
    return [path for path in sorted((run / "eval").glob("*.json")) if path.stem not in ("examples", "behaviours")]


def name_of(key: str) -> tuple[str, str]:
    """Name and colour class of a stage."""
    base, _, task = key.partition(".")
    label, style = NAMES.get(base, (base.replace("_", " "), "c7"))
    return (f"{label}: {task.replace('_', ' ')}" if task else label), style


def _order(key: str) -> tuple[bool, int, str]:
    base, _, task = key.partition(".")
    known = list(NAMES)
    return bool(task), known.index(base) if base in NAMES else len(known), key


def _stage(key: str, row: Row) -> Stage:
    label, style = name_of(key)
    figures = {name: number(row.get(name)) for name in ("n", "mean_tokens", "truncated", "seconds")}
    levels = [_level(difficulty, as_dict(cell)) for difficulty, cell in as_dict(row.get("by_difficulty")).items()]
    return Stage(
        key=key,
        label=label,
        style=style,
        ood="." in key,
        accuracy=number(row.get("accuracy")),
        accuracy_lenient=number(row.get("accuracy_lenient")),
        ci95=pair(row.get("ci95")),
        ci95_lenient=pair(row.get("ci95_lenient")),
        by_difficulty=sorted((level for level in levels if level), key=lambda level: level.difficulty),
        **figures,
    )


def _level(difficulty: str, cell: Row) -> Level | None:
    try:
        value = number(float(difficulty))
    except ValueError:
        return None
    if value is None:
        return None
    return Level(value, number(cell.get("n")), number(cell.get("accuracy")), number(cell.get("mean_tokens")))
