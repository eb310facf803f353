"""The controls of `reasonwright ablate`, from ablate.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reasonwright.report.answers import as_text, clip
from reasonwright.report.bars import Bar
from reasonwright.report.figures import gain
from reasonwright.report.read import as_dict, as_list, number, pair, read_json


@dataclass(frozen=True, slots=True)
class Control:
    key: str
    what: str
    accuracy: float | None
    """Strict, as all figures here: the mean over seeds and problems."""
    ci95: tuple[float, float] | None
    difference: float | None
    """Minus the baseline; None for the baseline itself."""
    difference_ci95: tuple[float, float] | None
    by_seed: list[float]
    tokens: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Controls:
    baseline: str
    problems: float | None
    seeds: list[str]
    arms: list[Control]

    def arm(self, key: str) -> Control | None:
        return next((arm for arm in self.arms if arm.key == key), None)


def load_controls(run: Path) -> Controls:
    """Without arms where there is no ablate.json."""
    found = as_dict(read_json(run / "ablate.json"))
    baseline = as_text(found.get("baseline"))
    seeds = [as_text(seed) for seed in as_list(found.get("seeds"))]
    arms = []
    for key, value in as_dict(found.get("arms")).items():
        row, strict = as_dict(value), as_dict(as_dict(value).get("strict"))
        own = key == baseline
        arms.append(
            Control(
                key=key,
                what=clip(as_text(row.get("what")), 80),
                accuracy=number(strict.get("accuracy")),
                ci95=pair(strict.get("ci95")),
                difference=None if own else number(strict.get("difference")),
                difference_ci95=None if own else pair(strict.get("difference_ci95")),
                by_seed=[accuracy for each in as_list(strict.get("by_seed")) if (accuracy := number(each)) is not None],
                tokens=number(row.get("mean_tokens")),
                seconds=number(row.get("seconds")),
            )
        )
    return Controls(baseline, number(found.get("problems")), seeds, arms)


def control_bars(controls: Controls) -> list[Bar]:
    return [
        Bar(arm.what or arm.key, arm.difference, gain(arm.difference), "c2", arm.difference_ci95)
        for arm in controls.arms
        if arm.difference is not None
    ]


def seeds_text(controls: Controls) -> str:
    """ "seed 0", "seeds 0, 1, 2"."""
    return f"seed{'s' * (len(controls.seeds) > 1)} {', '.join(controls.seeds)}" if controls.seeds else ""


def spread(values: Sequence[float]) -> str:
    """ "91.8 / 92.7"."""
    return " / ".join(f"{100 * value:.1f}" for value in values)
