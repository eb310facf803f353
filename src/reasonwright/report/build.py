"""From the files of a run to one page: gather, render, write at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from reasonwright.report import charts, figures
from reasonwright.report.answers import load_answers, load_examples
from reasonwright.report.groups import load_groups
from reasonwright.report.headline import headline, second_line
from reasonwright.report.read import Row, as_dict, check_run, metrics, number, read_json, read_text
from reasonwright.report.stages import Stage, load_stages

HERE = Path(__file__).parent
LOSSES = {
    "SFT": "sft",
    "Student on the kept solutions": "distill/student",
    "Student on the SFT data": "distill/student_sft",
}


def build_report(run: Path) -> Path:
    """Write `run/report.html` from what the run folder holds so far, and return its path."""
    run = Path(run)
    check_run(run)
    page = render(gather(run))
    target = run / "report.html"
    draft = run / f".report.{os.getpid()}.html"
    try:
        draft.write_bytes(page.encode("utf-8", errors="replace"))  # a model may write half a surrogate pair
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


def gather(run: Path) -> dict[str, Any]:
    """All that the template shows. Its names are the template's variables."""
    summary = as_dict(read_json(run / "summary.json"))
    stages = load_stages(run)
    grpo = metrics(run / "grpo" / "metrics.jsonl")
    losses = {title: metrics(run / place / "metrics.jsonl") for title, place in LOSSES.items()}
    rejection = as_dict(read_json(run / "rejection" / "stats.json"))
    seconds = as_dict(summary.get("seconds"))
    return {
        "name": run.resolve().name,
        "headline": headline(stages, grpo),
        "second": second_line(stages),
        "path": _path(stages),
        "stages": stages,
        "stage_chart": charts.stage_chart(stages),
        "steps": len(grpo),
        "skipped": sum(number(row.get("skipped")) or float(row.get("skipped") is True) for row in grpo),
        "window": charts.bold_window(grpo),
        "reward": charts.reward_charts(grpo),
        "accuracy": charts.accuracy_charts(grpo),
        "training": charts.training_charts(grpo),
        "difficulty": charts.difficulty_charts(stages),
        "answers": load_answers(run),
        "examples": load_examples(run),
        "groups": load_groups(run),
        "losses": charts.loss_charts({title: table for title, table in losses.items() if table}),
        "rejection": _rejection_facts(rejection),
        "rejection_charts": charts.rejection_charts(rejection),
        "time_chart": charts.time_chart(seconds),
        "total": sum(number(value) or 0.0 for value in seconds.values()),
        "recipe": read_text(run / "recipe.yaml"),
        "environment": flatten(as_dict(read_json(run / "env.json"))),
        "seed": summary.get("seed"),
    }


def render(context: dict[str, Any]) -> str:
    """The page as text. Every string of a run is escaped; only our own style sheet and SVG are not."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        percent=figures.percent,
        interval=figures.interval,
        count=figures.count,
        decimal=figures.decimal,
        duration=figures.duration,
    )
    template = environment.from_string((HERE / "template.html").read_text(encoding="utf-8"))
    return template.render(style=Markup((HERE / "style.css").read_text(encoding="utf-8")), **context)


def flatten(table: Row, prefix: str = "") -> list[tuple[str, str]]:
    """Nested objects as dotted names: {"gpu": {"name": "H"}} -> [("gpu.name", "H")]."""
    flat: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            flat += flatten(value, f"{prefix}{key}.")
        else:
            items = value if isinstance(value, list) else [value]
            flat.append((f"{prefix}{key}", " ".join("–" if item is None else str(item) for item in items)))
    return flat


def _path(stages: list[Stage]) -> list[Stage]:
    """The stages of the strip at the top: base, SFT, GRPO, student, as far as they are there."""
    found = {stage.key: stage for stage in stages}
    base = found.get("base_cot") or found.get("base_direct")
    return [stage for stage in (base, found.get("sft"), found.get("grpo"), found.get("student")) if stage]


def _rejection_facts(stats: Row) -> list[tuple[str, str]]:
    """(name, figure) of each count, in the order of the funnel."""
    names = {
        "problems": "problems",
        "solutions_per_problem": "solutions a problem",
        "sampled": "sampled",
        "right": "right",
        "strict_right": "right and in the form",
        "duplicates": "duplicates dropped",
        "kept": "kept",
        "problems_solved": "problems with a kept solution",
    }
    found = [(name, number(stats.get(key))) for key, name in names.items()]
    facts = [(name, figures.count(value)) for name, value in found if value is not None]
    share = number(stats.get("yield"))
    return facts + ([("yield, kept of sampled", figures.percent(share))] if share is not None else [])
