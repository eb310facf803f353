"""Charts of what came out: stages, differences, difficulty, rejection sampling, cost."""

from __future__ import annotations

from collections.abc import Sequence

from reasonwright.report.bars import Bar, Heights, bar_chart, columns, difference_chart
from reasonwright.report.charts import HALF, Chart, both, chart, present
from reasonwright.report.cost import Cost
from reasonwright.report.figures import THIN, count, duration, percent
from reasonwright.report.lines import Series
from reasonwright.report.read import Row, as_dict, as_list, number
from reasonwright.report.stages import Stage
from reasonwright.report.svg import Size


def stage_chart(stages: Sequence[Stage]) -> Chart | None:
    """Strict accuracy on the run's own task as a bar with its interval, lenient as a thin one under it."""
    bars = []
    for stage in stages:
        if stage.ood:
            continue
        strict, lenient = stage.accuracy, stage.accuracy_lenient
        bars.append(Bar(stage.label, strict or 0.0, percent(strict), stage.style, stage.ci95))
        if lenient is not None:
            bars.append(Bar("lenient", lenient, percent(lenient), stage.style, stage.ci95_lenient, light=True))
    if not bars:
        return None
    wide, narrow = both(lambda size: bar_chart(bars, width=size[0], top=1.0, percents=True), HALF)
    note = f"thick: strict, thin: lenient; {_sizes(stages)}lines are 95{THIN}% intervals (Wilson)"
    return Chart("Accuracy of each stage", wide, narrow, note=note)


def differences_chart(title: str, bars: Sequence[Bar], note: str, size: Size = HALF) -> Chart | None:
    """Differences of accuracies in points."""
    if not bars:
        return None
    wide, narrow = both(lambda size: difference_chart(bars, width=size[0]), size)
    return Chart(title, wide, narrow, note=f"percentage points; lines are 95{THIN}% intervals, {note}")


def difficulty_charts(stages: Sequence[Stage]) -> list[Chart]:
    """Accuracy and length against the number of steps a problem needs (the article's figure 10)."""
    accuracy, length = [], []
    for stage in stages:
        levels = stage.by_difficulty
        right = [(level.difficulty, level.accuracy) for level in levels if level.accuracy is not None]
        long = [(level.difficulty, level.mean_tokens) for level in levels if level.mean_tokens is not None]
        ends = [(level.difficulty, *level.interval) for level in levels if level.interval]
        name = "" if stage.ood else stage.label  # its dashed line goes on where the stage's own ends
        accuracy.append(Series(name, right, stage.style, marked=True, dashed=stage.ood, whiskers=ends))
        length.append(Series(name, long, stage.style, marked=True, dashed=stage.ood))
    label = "difficulty: steps that the problem needs"
    sizes = [level.n for stage in stages for level in stage.by_difficulty if level.n]
    spread = dict.fromkeys((count(min(sizes)), count(max(sizes)))) if sizes else {}
    note = f"n = {' to '.join(spread)} problems a point" if sizes else ""
    others = sorted({stage.label.partition(": ")[2] for stage in stages if stage.ood and stage.by_difficulty})
    if others:
        note += f"; dashed: {', '.join(others)}"
    return present(
        [
            chart(
                "Strict accuracy",
                accuracy,
                size=HALF,
                x_label=label,
                percents=True,
                y_range=(0.0, 1.0),
                note=f"{note}; vertical lines are 95{THIN}% intervals (Wilson)",
            ),
            chart("Length of the completion, tokens", length, size=HALF, x_label=label, note=note),
        ]
    )


def rejection_charts(stats: Row) -> list[Chart]:
    """How often each problem was solved, and what the harder ones yield."""
    counts = [number(value) or 0.0 for value in as_list(stats.get("pass_rate_histogram"))]
    edges = [f"{round(100 * i / len(counts))}–{round(100 * (i + 1) / len(counts))}" for i in range(len(counts))]
    levels = {key: number(as_dict(cell).get("pass_rate")) for key, cell in as_dict(stats.get("by_difficulty")).items()}
    known = [(key, rate) for key, rate in levels.items() if rate is not None]
    labels, rates = [key for key, _ in known], [rate for _, rate in known]

    def histogram(size: Size):
        return columns([Heights("", counts)], edges, size=size, x_label="right among a problem's solutions, %")

    def by_level(size: Size):
        return columns([Heights("", rates)], labels, size=size, x_label="difficulty", percents=True)

    n = number(stats.get("problems"))
    note = f"n = {count(n)} problems, {count(number(stats.get('solutions_per_problem')))} solutions each" if n else ""
    charts = [("Problems by pass rate", histogram), ("Pass rate by difficulty", by_level)]
    return [Chart(title, *both(draw, HALF), note=note) for title, draw in charts if draw(HALF)]


def cost_chart(costs: Sequence[Cost]) -> Chart | None:
    """Time of each stage."""
    bars = [Bar(cost.name, cost.seconds, duration(cost.seconds)) for cost in costs if cost.seconds is not None]
    if not bars:
        return None
    unit = 3600.0 if max(b.value for b in bars) >= 7200 else 60.0 if max(b.value for b in bars) >= 180 else 1.0
    bars = [Bar(b.label, b.value / unit, b.text) for b in bars]
    scale = {3600.0: "hours", 60.0: "minutes", 1.0: "seconds"}[unit]
    wide, narrow = both(lambda size: bar_chart(bars, width=size[0]), HALF)
    return Chart(f"Time of each stage, {scale}", wide, narrow)


def _sizes(stages: Sequence[Stage]) -> str:
    sizes = sorted({stage.n for stage in stages if stage.n and not stage.ood})
    return f"n = {' and '.join(map(count, sizes))} problems; " if sizes else ""
