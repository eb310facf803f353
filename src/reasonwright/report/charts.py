"""Which charts the report shows, and of what: from metric rows and stages to SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reasonwright.report.figures import duration, percent
from reasonwright.report.read import Row, as_dict, as_list, number, points
from reasonwright.report.stages import Stage, name_of
from reasonwright.report.svg import Bar, Series, Size, bar_chart, columns, line_chart

PHONE: Size = (360, 230)
HERO: Size = (1104, 320)
HALF: Size = (540, 270)
SMALL: Size = (360, 210)


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of the page. `wide` is drawn again as `narrow`, so that a phone shows letters of the same size."""

    title: str
    wide: Markup
    narrow: Markup | None = None
    legend: Sequence[tuple[str, str]] = ()
    """(CSS class, name) where there is more than one line."""


def bold_window(table: Sequence[Row], share: int = 20) -> int:
    """Over how many steps the bold lines are the mean: a twentieth of the run; 1 where it is short."""
    return 1 if len(table) <= 12 else max(3, len(table) // share)


def reward_charts(table: list[Row]) -> list[Chart]:
    """The reward curve (the article's figure 9)."""
    return _present([_lines("Reward", table, {"reward": "mean reward of a step"}, size=HERO)])


def accuracy_charts(table: list[Row]) -> list[Chart]:
    """Accuracy of what was sampled, and the parts of the reward."""
    names = {"accuracy": "strict", "accuracy_lenient": "lenient", "eval/accuracy": "held-out problems, greedy"}
    parts = {key: key.removeprefix("reward/") for row in table for key in row if key.startswith("reward/")}
    accuracy = _lines("Accuracy of the sampled completions", table, names, size=HALF, percents=True)
    return _present([accuracy, _lines("Reward by part, before weights", table, parts, size=HALF)])


def training_charts(table: list[Row]) -> list[Chart]:
    """Small multiples: what one looks at when a run goes wrong."""
    seconds = {f"seconds/{part}": part for part in ("sampling", "scoring", "training")}
    speed = {f"tokens_per_s/{part}": part for part in ("sampling", "training")}
    shares = {"clip_share": "clipped tokens", "zero_variance": "zero-variance groups", "truncated": "cut off"}
    return _present(
        [
            _lines("Length, tokens", table, {"length_right": "right", "length_wrong": "wrong", "length": "all"}),
            _lines("KL from the reference, nats", table, {"kl": "KL"}),
            _lines("Entropy, nats a token", table, {"entropy": "entropy"}),
            _lines("Shares", table, shares, percents=True),
            _lines("Gradient norm", table, {"grad_norm": "gradient norm"}),
            _lines("Seconds a step", table, seconds),
            _lines("Tokens a second", table, speed),
            _lines("Sampler gap", table, {"sampler_gap": "sampler against trainer"}),
        ]
    )


def loss_charts(tables: Mapping[str, list[Row]]) -> list[Chart]:
    """Next-token loss of SFT and of the students."""
    names = {"loss": "training", "eval_loss": "evaluation"}
    size = HALF if len(tables) < 3 else SMALL
    return _present([_lines(title, table, names, size=size, share=60) for title, table in tables.items()])


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
    wide, narrow = _both(lambda size: bar_chart(bars, width=size[0], top=1.0, percents=True), HALF)
    return Chart("Accuracy of each stage", wide, narrow)


def difficulty_charts(stages: Sequence[Stage]) -> list[Chart]:
    """Accuracy and length against the number of steps a problem needs (the article's figure 10)."""
    accuracy, length = [], []
    for stage in stages:
        levels = stage.by_difficulty
        right = [(level.difficulty, level.accuracy) for level in levels if level.accuracy is not None]
        long = [(level.difficulty, level.mean_tokens) for level in levels if level.mean_tokens is not None]
        bars = [(level.difficulty, *level.interval) for level in levels if level.interval]
        accuracy.append(Series(stage.label, right, stage.style, marked=True, dashed=stage.ood, whiskers=bars))
        length.append(Series(stage.label, long, stage.style, marked=True, dashed=stage.ood))
    label = "difficulty: steps that the problem needs"
    return _present(
        [
            _chart("Strict accuracy", accuracy, size=HALF, x_label=label, percents=True, y_range=(0.0, 1.0)),
            _chart("Length of the completion, tokens", length, size=HALF, x_label=label),
        ]
    )


def rejection_charts(stats: Row) -> list[Chart]:
    """How often each problem was solved, and what the harder ones yield."""
    counts = [number(value) or 0.0 for value in as_list(stats.get("pass_rate_histogram"))]
    edges = [f"{round(100 * i / len(counts))}–{round(100 * (i + 1) / len(counts))}" for i in range(len(counts))]
    levels = {key: number(as_dict(cell).get("pass_rate")) for key, cell in as_dict(stats.get("by_difficulty")).items()}
    known = [(key, rate) for key, rate in levels.items() if rate is not None]
    labels, rates = [key for key, _ in known], [rate for _, rate in known]

    def histogram(size: Size) -> Markup:
        return columns(counts, edges, size=size, x_label="right among a problem's solutions, %")

    def by_level(size: Size) -> Markup:
        return columns(rates, labels, size=size, x_label="difficulty", percents=True)

    charts = [("Problems by pass rate", histogram), ("Pass rate by difficulty", by_level)]
    return [Chart(title, *_both(draw, HALF)) for title, draw in charts if draw(HALF)]


def time_chart(seconds: Row) -> Chart | None:
    """Seconds of each stage."""
    spent = [(key, number(value)) for key, value in seconds.items()]
    names = {key: name_of(key)[0] for key in seconds}
    bars = [Bar(names[key][:1].upper() + names[key][1:], v, duration(v)) for key, v in spent if v is not None]
    if not bars:
        return None
    unit = 3600.0 if max(b.value for b in bars) >= 7200 else 60.0 if max(b.value for b in bars) >= 180 else 1.0
    bars = [Bar(b.label, b.value / unit, b.text) for b in bars]
    scale = {3600.0: "hours", 60.0: "minutes", 1.0: "seconds"}[unit]
    wide, narrow = _both(lambda size: bar_chart(bars, width=size[0]), (720, 0))
    return Chart(f"Time of each stage, {scale}", wide, narrow)


def _lines(
    title: str,
    table: list[Row],
    names: Mapping[str, str],
    *,
    size: Size = SMALL,
    percents: bool = False,
    share: int = 20,
) -> Chart | None:
    """A chart of some metrics against the step; None where none of them is there."""
    series = []
    for i, (key, name) in enumerate(names.items()):
        found = points(table, key)
        sparse = key.startswith("eval") or len(found) <= 12
        window = 1 if sparse else bold_window(table, share)
        if found:
            style = ("c2", "c1", "c5", "c3", "c4", "c0", "c6", "c7")[i % 8]
            series.append(Series(name, found, style=style, window=window, marked=sparse))
    return _chart(title, series, size=size, percents=percents)


def _chart(title: str, series: list[Series], *, size: Size, **options) -> Chart | None:
    shown = [s for s in series if s.points]
    if not shown:
        return None
    legend = [(s.style + (" dashed" if s.dashed else ""), s.name) for s in shown] if len(shown) > 1 else []
    if size == SMALL:
        return Chart(title, line_chart(shown, size=size, **options), None, legend)
    wide, narrow = _both(lambda size: line_chart(shown, size=size, **options), size)
    return Chart(title, wide, narrow, legend)


def _both(draw: Callable[[Size], Markup], wide: Size) -> tuple[Markup, Markup]:
    return draw(wide), draw(PHONE)


def _present(charts: Sequence[Chart | None]) -> list[Chart]:
    return [chart for chart in charts if chart]
