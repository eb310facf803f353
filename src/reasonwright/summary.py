"""summary.json, and the table that a run ends with: figures of a run, read from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from reasonwright.runfolder import stage_done, versions
from reasonwright.runlog import read_json, write_json

MODELS = ("sft", "grpo", "student_sft", "student")  # evaluated as trained; the base has its own two prompts
STAGE_LABELS = {
    "base_direct": "base, direct answer",
    "base_cot": "base, step by step",
    "sft": "SFT",
    "grpo": "GRPO",
    "student_sft": "student, SFT data",
    "student": "student, distilled",
}


def summarise(folder: Path, seed: int) -> dict[str, Any]:
    """Write summary.json from the files of the run."""
    stages: dict[str, Any] = {}
    also: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for file in sorted((folder / "eval").glob("*.json")):
        if file.name in ("examples.json", "behaviours.json"):
            continue
        stage, _, task = file.stem.partition(".")
        figures = {k: v for k, v in read_json(file).items() if k not in ("by_difficulty", "model")}
        seconds["evaluate"] = seconds.get("evaluate", 0.0) + figures["seconds"]
        if task:
            also.setdefault(task, {})[stage] = figures
        else:
            stages[stage] = figures
    order = ["base_direct", "base_cot", *MODELS]
    for name in ("sft", "grpo", "rejection", "distill/student_sft", "distill/student"):
        done = stage_done(folder / name)
        if done:
            seconds[name.rpartition("/")[2]] = done["seconds"]
    summary = {
        "stages": {stage: stages[stage] for stage in order if stage in stages},
        "also": also,
        "seconds": {name: round(s, 1) for name, s in seconds.items()},
        "versions": versions(),
        "seed": seed,
    }
    write_json(folder / "summary.json", summary)
    return summary


def results_table(summary: dict[str, Any]) -> Table:
    """The table that a run ends with."""
    table = Table(title=f"Accuracy on held-out problems (seed {summary['seed']})", title_justify="left")
    for column in ("model", "strict", "95 % interval", "lenient", "n", "tokens"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for stage, figures in summary["stages"].items():
        lo, hi = figures["ci95"]
        table.add_row(
            STAGE_LABELS.get(stage, stage),
            f"{figures['accuracy']:.1%}",
            f"{lo:.1%} to {hi:.1%}",
            f"{figures['accuracy_lenient']:.1%}",
            str(figures["n"]),
            f"{figures['mean_tokens']:.0f}",
        )
    return table
