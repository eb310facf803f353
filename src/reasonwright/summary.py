"""summary.json, and the table that a run ends with: figures of a run, read from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from reasonwright.evaluation.compare import compare_greedy
from reasonwright.evaluation.tables import comparison_table
from reasonwright.runfolder import stage_done, versions
from reasonwright.runlog import read_json, read_jsonl, write_json

MODELS = ("sft", "grpo", "student_sft", "student")  # evaluated as trained; the base has its own two prompts
PAIRS = (("sft", "grpo"), ("student_sft", "student"))
"""What the second adds to the first."""
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
        "paired": [pair for one, other in PAIRS if (pair := _paired(folder, one, other))],
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


def paired_table(summary: dict[str, Any]) -> Table:
    """What GRPO and distillation added, problem by problem."""
    names = (f"{STAGE_LABELS[pair['first']]} → {STAGE_LABELS[pair['second']]}" for pair in summary["paired"])
    return comparison_table(dict(zip(names, summary["paired"], strict=True)))


def _paired(folder: Path, first: str, second: str) -> dict[str, Any] | None:
    """The paired difference of two stages; None where one of them has not been evaluated."""
    one, other = (read_jsonl(folder / "eval" / f"{stage}.jsonl") for stage in (first, second))
    return {"first": first, "second": second, "greedy": compare_greedy(one, other)} if one and other else None
