"""From the files of a run to one page: gather, render, write at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reasonwright.report import charts, controls, figures, stage_charts
from reasonwright.report.answers import load_answers, load_examples
from reasonwright.report.behaviours import NAMES, load_thoughts
from reasonwright.report.checks import load_checks
from reasonwright.report.cost import load_costs
from reasonwright.report.headline import headline, second_line
from reasonwright.report.microscope import load_scopes
from reasonwright.report.pairs import load_pairs, pair_bars
from reasonwright.report.questions import ask
from reasonwright.report.read import Row, as_dict, check_run, metrics, number, read_json, read_recipe, read_text
from reasonwright.report.stages import Stage, load_stages

HERE = Path(__file__).parent
LOSSES = {
    "SFT": "sft",
    "Student on the kept solutions": "distill/student",
    "Student on the SFT data": "distill/student_sft",
}


def build_report(run: Path, refresh: int | None = None) -> Path:
    """Write `run/report.html` from what the run folder holds so far, and return its path.

    `refresh`: after how many seconds a browser loads the page anew; None: never.
    """
    run = Path(run)
    check_run(run)
    return write_page(run / "report.html", render("report.html", gather(run) | {"refresh": refresh}))


def gather(run: Path) -> dict[str, Any]:
    """All that the template shows. Its names are the template's variables."""
    summary = as_dict(read_json(run / "summary.json"))
    stages, pairs, thoughts, arms = load_stages(run), load_pairs(run), load_thoughts(run), controls.load_controls(run)
    grpo = metrics(run / "grpo" / "metrics.jsonl")
    losses = {title: metrics(run / place / "metrics.jsonl") for title, place in LOSSES.items()}
    rejection = as_dict(read_json(run / "rejection" / "stats.json"))
    recipe = as_dict(read_recipe(run).get("grpo"))
    per_step, group = number(recipe.get("problems_per_step")), number(recipe.get("group_size"))
    checks, warnings = load_checks(run)
    costs = load_costs(run)
    return {
        "name": run.resolve().name,
        "headline": headline(stages, grpo),
        "second": second_line(stages),
        "path": _path(stages),
        "questions": ask(pairs, arms, thoughts),
        "stages": stages,
        "stage_chart": stage_charts.stage_chart(stages),
        "pairs": pairs,
        "pair_chart": stage_charts.differences_chart(
            "Differences", pair_bars(pairs), "for pairs (Newcombe)", charts.WIDE
        ),
        "controls": arms,
        "control_chart": stage_charts.differences_chart(
            f"Minus {arms.baseline}", controls.control_bars(arms), "over problems"
        ),
        "steps": len(grpo),
        "skipped": sum(number(row.get("skipped")) or float(row.get("skipped") is True) for row in grpo),
        "reward": charts.reward_charts(
            grpo, per_step * group if per_step and group else None, number(recipe.get("eval_problems"))
        ),
        "pass_rates": charts.pass_rate_chart(grpo),
        "training": charts.training_charts(grpo),
        "difficulty": stage_charts.difficulty_charts(stages),
        "behaviour_charts": charts.behaviour_charts(grpo),
        "behaviour_names": NAMES,
        "thoughts": thoughts,
        "answers": load_answers(run),
        "examples": load_examples(run),
        "scopes": load_scopes(run),
        "losses": charts.loss_charts({title: table for title, table in losses.items() if table}),
        "rejection": _rejection_facts(rejection),
        "rejection_charts": stage_charts.rejection_charts(rejection),
        "costs": costs,
        "cost_chart": stage_charts.cost_chart(costs),
        "total": sum(cost.seconds or 0.0 for cost in costs),
        "checks": checks,
        "warnings": warnings,
        "recipe": read_text(run / "recipe.yaml"),
        "environment": flatten(as_dict(read_json(run / "env.json"))),
        "seed": summary.get("seed"),
    }


def render(template: str, context: dict[str, Any]) -> str:
    """The page as text. Every string of a run is escaped; only our own style sheet and SVG are not."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("percent", "interval", "count", "decimal", "duration", "gain", "gain_range", "p_value"):
        environment.filters[name] = getattr(figures, name)
    environment.filters["spread"] = controls.spread
    environment.globals["seeds_text"] = controls.seeds_text
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(style=style, **context)


def write_page(target: Path, page: str) -> Path:
    """The page whole or not at all; its path."""
    draft = target.with_name(f".{target.stem}.{os.getpid()}.html")
    try:
        draft.write_bytes(page.encode("utf-8", errors="replace"))  # a model may write half a surrogate pair
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


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
