"""The figures of the path and the page of results from a run folder: `python docs/make_figures.py RUN`.

Charts are the report's own; what they say in words (seed, n, interval, machine) is on the page of results.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from reasonwright.report.bars import Bar, bar_chart
from reasonwright.report.charts import Chart, loss_charts
from reasonwright.report.figures import duration, interval, percent
from reasonwright.report.lines import Series, line_chart
from reasonwright.report.read import metrics, points, read_json
from reasonwright.report.stage_charts import difficulty_charts, rejection_charts, stage_chart
from reasonwright.report.stages import NAMES, Stage, load_stages

DOCS = Path(__file__).resolve().parent
WIDE = (720, 300)
STYLE = """<style>
svg { font: 12px system-ui, sans-serif; --ink: #16191d; --soft: #5b636d; --faint: #8a929c; --line: #e3e6ea;
 --c0: #7b8490; --c1: #2563c9; --c2: #d9541e; --c3: #7a3fc4; --c4: #c2539b; --c5: #0c8577; --c6: #9a8f2a; }
@media (prefers-color-scheme: dark) { svg { --ink: #e6e9ed; --soft: #a3abb5; --faint: #78818c; --line: #2b3138;
 --c0: #929ba6; --c1: #6ea3f5; --c2: #f58352; --c3: #b18af0; --c4: #e68ac4; --c5: #3dbfae; --c6: #cabf55; } }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); }
text { fill: var(--soft); } .tick, .axis { fill: var(--faint); font-size: 11px; }
.value { fill: var(--ink); font-weight: 600; } .end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: var(--line); } .line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
.dashed { stroke-dasharray: 5 4; } .raw { fill: none; stroke: currentColor; opacity: 0.26; }
.dot, .fill { fill: currentColor; } .whisker { stroke: currentColor; stroke-width: 1.5; opacity: 0.4; }
.light { opacity: 0.35; } .error { fill: none; stroke: var(--ink); stroke-width: 1.3; } .hover { fill: transparent; }
</style>"""
KEY = '<rect class="fill {style}" x="{x}" y="6" width="10" height="10" rx="2"/><text x="{text_x}" y="15">{name}</text>'


def main(run: Path, out: Path = DOCS) -> None:
    """Write figures/*.svg and path/results.md under `out`."""
    stages = [stage for stage in load_stages(run) if not stage.ood and stage.key != "behaviours"]
    behaviours = read_json(run / "eval" / "behaviours.json")
    grpo = metrics(run / "grpo" / "metrics.jsonl")
    named = {stage.key: stage for stage in stages}
    trained = [named[key] for key in ("base_cot", "sft", "grpo", "student")]
    _, length = difficulty_charts(trained)
    accuracy, _ = difficulty_charts(trained[1:])  # strict: the base does not know the form
    charts: dict[str, Chart | None] = {
        "stages": stage_chart(stages),
        "before": stage_chart([named["base_direct"], named["base_cot"], named["sft"]]),
        "sft-loss": loss_charts({"sft": metrics(run / "sft" / "metrics.jsonl")})[0],
        "grpo-reward": Chart("", _curves(grpo, REWARD, percents=True), legend=_legend(REWARD)),
        "grpo-length": Chart("", _curves(grpo, LENGTH), legend=_legend(LENGTH)),
        "grpo-kl": Chart("", _curves(grpo, KL)),
        "grpo-behaviours": Chart("", _curves(grpo, BEHAVIOURS, percents=True), legend=_legend(BEHAVIOURS)),
        "pass-rates": rejection_charts(read_json(run / "rejection" / "stats.json"))[0],
        "students": stage_chart([named[key] for key in ("grpo", "student_sft", "student")]),
        "accuracy-by-difficulty": accuracy,
        "length-by-difficulty": length,
        "causal": Chart("", bar_chart(_causal_bars(behaviours), top=1.0, percents=True)),
    }
    (out / "figures").mkdir(parents=True, exist_ok=True)
    (out / "path").mkdir(exist_ok=True)
    for name, chart in charts.items():
        assert chart is not None
        (out / "figures" / f"{name}.svg").write_text(svg_file(chart), encoding="utf-8")
    (out / "path" / "results.md").write_text(results_page(run, load_stages(run), behaviours), encoding="utf-8")


Curves = Sequence[tuple[str, str, str]]
"""(metric, name, CSS class)"""
REWARD: Curves = (
    ("reward", "reward of a step's completions", "c2"),
    ("eval/accuracy", "held-out problems, greedy", "c1"),
)
LENGTH: Curves = (("length_right", "right", "c1"), ("length_wrong", "wrong", "c2"))
KL: Curves = (("kl", "KL", "c2"),)
BEHAVIOURS: Curves = (
    ("behaviour/verification", "checks an earlier result", "c5"),
    ("behaviour/backtracking", "takes one back", "c3"),
    ("behaviour/backtracking_words", "says “wait”", "c0"),
)


def _curves(table: list[dict[str, Any]], curves: Curves, percents: bool = False):
    window = max(1, len(table) // 15)
    series = [
        Series(name, points(table, key), style, window=1 if key.startswith("eval") else window, marked="eval" in key)
        for key, name, style in curves
    ]
    return line_chart(series, size=WIDE, percents=percents, x_label="step of GRPO")


def _legend(curves: Curves) -> list[tuple[str, str]]:
    return [(style, name) for _, name, style in curves]


def _causal_bars(behaviours: dict[str, Any]) -> list[Bar]:
    """How often the answer of GRPO's policy changes with its thought."""
    causal = behaviours["grpo"]["causal"] or {}
    names = {
        "last_step": "last result wrong",
        "earlier_step": "an earlier one wrong",
        "cut": "second half cut",
        "removed": "no thought",
    }
    found = [(name, causal[key]) for key, name in names.items() if causal.get(key, {}).get("changed") is not None]
    return [Bar(name, c["changed"], percent(c["changed"], 0), "c2", tuple(c["ci95"])) for name, c in found]


def svg_file(chart: Chart) -> str:
    """A chart with its colours and, above it, its legend, so that it stands alone."""
    svg = str(chart.wide)
    size, start = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg), svg.index(">") + 1
    assert size is not None
    width, height, top, x, keys = int(size[1]), int(size[2]), 24 if chart.legend else 0, 40, ""
    for style, name in chart.legend:
        keys += KEY.format(style=style.split()[0], x=x, text_x=x + 15, name=name)
        x += 34 + round(6.6 * len(name))
    head = svg[:start].replace(size[0], f'viewBox="0 0 {max(width, x)} {height + top}"')
    body = svg[start:].removesuffix("</svg>")
    return f'{head}{STYLE}{keys}<g transform="translate(0 {top})">{body}</g></svg>\n'


def results_page(run: Path, stages: list[Stage], behaviours: dict[str, Any]) -> str:
    """All figures that the path quotes, as tables."""
    recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
    env, stats = read_json(run / "env.json"), read_json(run / "rejection" / "stats.json")
    versions = env["versions"]
    spent = {
        name: read_json(run / folder / "stage.json")["seconds"]
        for name, folder in {
            "SFT": "sft",
            "GRPO": "grpo",
            "rejection": "rejection",
            "distillation": "distill/student",
        }.items()
    }
    lines = [
        "# The run in figures",
        "",
        f"Made by `docs/make_figures.py` from one run of `recipes/{recipe['name']}.yaml`, seed {recipe['seed']}: "
        f"{env['cores']} cores of {env['cpu']}, no GPU, torch {versions['torch']}, transformers "
        f"{versions['transformers']}. One seed: intervals say how sure the figures of *these* models are, not how much "
        "another seed would differ.",
        "",
        "## Accuracy",
        "",
        "Greedy answers to held-out problems of 1 to 8 steps (`word_problems`) and of 9 to 12 "
        "(`word_problems_long`), with 95 % Wilson intervals. *Strict*: right and in the whole form. *Lenient*: right, "
        "wherever after the thought it stands.",
        "",
        "| model | strict, % | 95 % | lenient, % | 95 % | n | tokens an answer |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for s in stages:
        cells = (_pct(s.accuracy), interval(s.ci95), _pct(s.accuracy_lenient), interval(s.ci95_lenient))
        lines.append(f"| {_label(s.key)} | {' | '.join(cells)} | {s.n:.0f} | {s.mean_tokens:.1f} |")
    for pair in read_json(run / "summary.json")["paired"]:
        strict = pair["greedy"]["strict"]
        lines += [
            "",
            f"{_label(pair['second'])} less {_label(pair['first'])}, on the same problems: "
            f"{_pct(strict['difference'])} points ({interval(tuple(strict['ci95']))}, bootstrap over problems).",
        ]
    lines += ["", "![Accuracy of each stage](../figures/stages.svg)", "", "## What the thoughts do", ""]
    lines += [
        "| | " + " | ".join(NAMES[stage][0] for stage in behaviours) + " |",
        "|---|" + "--:|" * len(behaviours),
    ]
    for label, value in BEHAVIOUR_ROWS.items():
        lines.append(f"| {label} | " + " | ".join(_or_dash(value, figures) for figures in behaviours.values()) + " |")
    lines += [
        "",
        f"Of {recipe['evaluate']['problems']} answers each; the causal checks on up to "
        f"{recipe['evaluate']['causal_problems']} right ones.",
        "",
        "## Rejection sampling",
        "",
        f"{stats['problems']:,} problems, {stats['solutions_per_problem']} solutions each: "
        f"{stats['sampled']:,} sampled, "
        f"{stats['strict_right']:,} right in the strict form ({_pct(stats['strict_right'] / stats['sampled'])} %), "
        f"of which {stats['duplicates']:,} duplicates; {stats['kept']:,} kept ({_pct(stats['yield'])} %). "
        f"{stats['problems_solved']:,} problems were solved at least once.",
        "",
        "## Time",
        "",
        "Wall time on two cores, nearly alone: "
        + ", ".join(f"{name} {duration(seconds)}" for name, seconds in spent.items())
        + ".",
        "",
    ]
    return "\n".join(lines)


def _pct(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _share(row: dict[str, Any], key: str = "rate") -> str:
    return f"{_pct(row[key])} ({interval(tuple(row['ci95']))})"


BEHAVIOUR_ROWS = {
    "checks an earlier result, % (95 %)": lambda f: _share(f["verification"]),
    "takes one back, %": lambda f: _share(f["backtracking"]),
    "says “wait” or the like, %": lambda f: _pct(f["backtracking"]["keyword_rate"]),
    "tokens of a thought": lambda f: f"{f['thinking']['tokens']:.1f}",
    "more tokens a step of difficulty": lambda f: (
        f"{f['thinking']['slope_tokens']:.1f} ({f['thinking']['slope_tokens_ci95'][0]:.1f}–"
        f"{f['thinking']['slope_tokens_ci95'][1]:.1f})"
    ),
    "equations that are right, %": lambda f: _share(f["steps"], "valid_share"),
    "answer changes with a wrong last result, %": lambda f: _share(f["causal"]["last_step"], "changed"),
    "… and is the wrong result itself, %": lambda f: _pct(f["causal"]["last_step"]["followed"]),
    "answer changes with a wrong earlier result, %": lambda f: _share(f["causal"]["earlier_step"], "changed"),
    "answer changes without the second half, %": lambda f: _share(f["causal"]["cut"], "changed"),
    "answer changes without a thought, %": lambda f: _share(f["causal"]["removed"], "changed"),
}


def _or_dash(value: Any, figures: dict[str, Any]) -> str:
    try:
        return value(figures)
    except (TypeError, KeyError):  # a stage without such thoughts
        return "–"


def _label(key: str) -> str:
    base, _, task = key.partition(".")
    return NAMES[base][0] + (f", `{task}`" if task else "")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
