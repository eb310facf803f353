"""What `reasonwright evaluate` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from reasonwright.types import EvalResult

FORMS = ("strict", "lenient")


def share(value: float, interval: Sequence[float]) -> str:
    """A share and its interval in per cent."""
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def points(difference: float, interval: Sequence[float]) -> str:
    """A difference of two shares in percentage points."""
    return f"{100 * difference:+.1f} [{100 * interval[0]:+.1f}, {100 * interval[1]:+.1f}]"


def p_text(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def make_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """First column to the left, figures to the right."""
    table = Table(title=title, title_justify="left")
    for at, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if at else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # names are not markup
    return table


def greedy_table(results: Mapping[str, EvalResult], title: str) -> Table:
    columns = ("model", "strict, %", "lenient, %", "n", "tokens", "cut, %", "s/answer")
    rows = [
        [
            name,
            share(r.accuracy, r.ci95),
            share(r.accuracy_lenient, r.ci95_lenient),
            str(r.n),
            f"{r.mean_tokens:.0f}",
            f"{100 * r.truncated:.1f}",
            f"{r.seconds / r.n:.3g}",
        ]
        for name, r in results.items()
    ]
    return make_table(f"{title}; 95 % intervals", columns, rows)


def sampled_table(results: Mapping[str, dict[str, Any]], title: str) -> Table:
    """A row for each measure, a column for each model."""
    each = list(results.values())
    rows = [
        [name, *(share(r["measures"][name]["mean"], r["measures"][name]["ci95"]) for r in each)]
        for name in each[0]["measures"]
    ]
    rows.append(["tokens", *(f"{r['mean_tokens']:.0f}" for r in each)])
    rows.append(["seconds an answer", *(f"{r['seconds'] / (r['problems'] * r['samples']):.3g}" for r in each)])
    return make_table(f"{title}; in %, 95 % intervals over problems", ["", *results], rows)


def comparison_table(pairs: Mapping[str, dict[str, Any]]) -> Table:
    """Each pair's differences, second model less first."""
    rows = []
    for name, pair in pairs.items():
        for form in FORMS:
            c = pair["greedy"][form]
            solved = f"{c['only_first']} / {c['only_second']}"
            rows.append([name, f"greedy {form}", points(c["difference"], c["ci95"]), p_text(c["p"]), solved])
        for measure, c in pair.get("sampled", {}).items():
            rows.append([name, measure, points(c["difference"], c["ci95"]), "", ""])
    columns = ("models", "measure", "difference", "McNemar p", "alone right")
    return make_table("Differences on the same problems, in points, 95 % intervals", columns, rows)


def group_table(results: Mapping[str, EvalResult], which: str, form: str, title: str) -> Table:
    """Greedy accuracy in each group of `by_difficulty` or `by_length`, a column for each model."""
    accuracy, interval = ("accuracy", "ci95") if form == "strict" else ("accuracy_lenient", "ci95_lenient")
    groups = {name: getattr(result, which) for name, result in results.items()}
    keys = sorted({key for figures in groups.values() for key in figures}, key=lambda key: int(key.partition("-")[0]))

    def cell(group: dict[str, Any] | None) -> str:
        return f"{share(group[accuracy], group[interval])} n={group['n']}" if group else ""

    return make_table(title, ["", *groups], [[key, *(cell(g.get(key)) for g in groups.values())] for key in keys])
