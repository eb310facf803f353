"""Several runs on one page: curves laid over each other, final figures, paired differences, settings that differ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from reasonwright.report import charts, stage_charts
from reasonwright.report.answers import clip
from reasonwright.report.build import flatten, render, write_page
from reasonwright.report.lines import Series
from reasonwright.report.pairs import Pair, compare_judged, load_judged, pair_bars
from reasonwright.report.read import Row, check_run, metrics, points, read_recipe
from reasonwright.report.stages import Stage, load_stages, name_of
from reasonwright.types import UserError

CURVES = {"reward": "Reward", "accuracy": "Accuracy of the sampled completions", "length": "Length, tokens"}
PAIRED = ("sft", "grpo", "student")
MOST_RUNS = 8
"""As many as there are colours."""


@dataclass(frozen=True, slots=True)
class Run:
    name: str
    style: str
    folder: Path
    stages: dict[str, Stage]
    table: list[Row]


def compare_runs(folders: Sequence[Path], target: Path) -> Path:
    """Write one page about several runs and return its path. Raises UserError for what is no run."""
    if len(folders) > MOST_RUNS:
        raise UserError(f"{len(folders)} runs are too many for one page: give at most {MOST_RUNS}")
    for folder in folders:
        check_run(folder)
    runs = [
        Run(name, charts.STYLES[i], folder, _own(load_stages(folder)), metrics(folder / "grpo" / "metrics.jsonl"))
        for i, (name, folder) in enumerate(zip(_names(folders), folders, strict=True))
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    return write_page(target, render("compare.html", _gather(runs)))


def _gather(runs: Sequence[Run]) -> dict[str, Any]:
    stages = list(dict.fromkeys(key for run in runs for key in run.stages))
    pairs = _pairs(runs)
    return {
        "name": " · ".join(run.name for run in runs),
        "refresh": None,
        "runs": runs,
        "stages": [(key, name_of(key)[0]) for key in stages],
        "curves": _curves(runs),
        "pairs": pairs,
        "pair_chart": stage_charts.differences_chart(
            "Differences", pair_bars(pairs), "for pairs (Newcombe)", charts.WIDE
        ),
        "settings": _settings(runs),
    }


def _curves(runs: Sequence[Run]) -> list[charts.Chart]:
    found = []
    windows = {run.name: charts.bold_window(run.table) for run in runs}
    note = f"line: mean over {' / '.join(map(str, windows.values()))} steps, {charts.BAND}"
    for key, title in CURVES.items():
        lines = [Series(r.name, points(r.table, key), r.style, window=windows[r.name]) for r in runs]
        share = key == "accuracy"
        size = charts.HERO if key == "reward" else charts.HALF
        found.append(charts.chart(title, lines, size=size, percents=share, note=note))
    greedy = [Series(r.name, points(r.table, "eval/accuracy"), r.style, marked=True) for r in runs]
    note = "each run on its own held-out problems"
    found.append(
        charts.chart("Accuracy on held-out problems, greedy", greedy, size=charts.HALF, percents=True, note=note)
    )
    return charts.present(found)


def _pairs(runs: Sequence[Run]) -> list[Pair]:
    """Every two runs' same stages, where both were asked the same problems."""
    pairs = []
    for stage in PAIRED:
        judged = {run.name: load_judged(run.folder / "eval" / f"{stage}.jsonl") for run in runs}
        for one, other in combinations(runs, 2):
            same = judged[one.name].keys() == judged[other.name].keys()
            differences = compare_judged(judged[one.name], judged[other.name]) if same else None
            if differences:
                label = f"{name_of(stage)[0]}: {one.name} → {other.name}"
                pairs.append(Pair(one.name, other.name, label, other.style, *differences))
    return pairs


def _settings(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """(key, each run's value) of the recipes' keys that differ."""
    flat = [dict(flatten(read_recipe(run.folder))) for run in runs]
    keys = dict.fromkeys(key for values in flat for key in values)
    table = [(key, [clip(values.get(key, "–"), 80) for values in flat]) for key in keys]
    return [(clip(key, 80), values) for key, values in table if len(set(values)) > 1]


def _own(stages: Sequence[Stage]) -> dict[str, Stage]:
    return {stage.key: stage for stage in stages if not stage.ood}


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' names, with as much of the path before them as tells them apart."""
    whole = [folder.resolve() for folder in folders]
    if len(set(whole)) < len(whole):
        raise UserError("a run is compared with itself: name each folder once")
    names = [path.name for path in whole]
    if len(set(names)) == len(names):
        return names
    shared = os.path.commonpath(whole)
    return [os.path.relpath(path, shared) for path in whole]
