"""Charts of the training: from metric rows to SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reasonwright.evaluation.intervals import wilson
from reasonwright.report.bars import Heights, columns
from reasonwright.report.figures import THIN, count
from reasonwright.report.lines import Series, line_chart
from reasonwright.report.read import Row, as_list, number, points
from reasonwright.report.svg import Size

PHONE: Size = (360, 230)
HERO: Size = (1104, 320)
WIDE: Size = (900, 300)
HALF: Size = (540, 270)
SMALL: Size = (360, 210)
STYLES = ("c2", "c1", "c5", "c3", "c4", "c0", "c6", "c7")
BAND = f"band: 95{THIN}% interval of that mean, from the spread of its steps"


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure of the page. `wide` is drawn again as `narrow`, so that a phone shows letters of the same size."""

    title: str
    wide: Markup
    narrow: Markup | None = None
    legend: Sequence[tuple[str, str]] = ()
    """(CSS class, name) where there is more than one line."""
    named: bool = False
    """The names stand at the lines of `wide`: only `narrow` needs the legend."""
    note: str = ""
    """What n is, and what a band or a whisker is."""


def bold_window(table: Sequence[Row], share: int = 20) -> int:
    """Over how many steps the lines are the mean: a twentieth of the run; 1 where it is short."""
    return 1 if len(table) <= 12 else max(5, len(table) // share)


def reward_charts(table: list[Row], per_step: float | None, held_out: float | None) -> list[Chart]:
    """Reward and accuracy (the article's figure 9). `per_step` completions are sampled in a step; the greedy accuracy
    is that of `held_out` problems."""
    window = bold_window(table)
    each = f"n = {count(per_step)} completions a step" if per_step else "a point is the mean of a step's completions"
    if window > 1:
        each += f"; line: mean over {window} steps, {BAND}"
    reward = chart("Reward", [_series("mean reward", table, "reward", "c2")], size=HERO, note=each)
    greedy = _series("held-out, greedy", table, "eval/accuracy", "c5")
    note = each
    if greedy.points and held_out:
        greedy.whiskers = [(x, *wilson(round(y * held_out), round(held_out))) for x, y in greedy.points if 0 <= y <= 1]
        note += f". Held-out: n = {count(held_out)} problems, vertical lines are 95{THIN}% intervals"
    sampled = [_series("sampled, strict", table, "accuracy", "c2"), _series("lenient", table, "accuracy_lenient", "c1")]
    accuracy = chart("Accuracy", [*sampled, greedy], size=HALF, percents=True, note=note)
    parts = {key: key.removeprefix("reward/") for row in table for key in row if key.startswith("reward/")}
    return present([reward, accuracy, lines("Reward by part, before weights", table, parts, size=HALF)])


def training_charts(table: list[Row]) -> list[Chart]:
    """Small multiples: what one looks at when a run goes wrong."""
    seconds = {f"seconds/{part}": part for part in ("sampling", "scoring", "training")}
    speed = {f"tokens_per_s/{part}": part for part in ("sampling", "training")}
    shares = {"clip_share": "clipped tokens", "zero_variance": "zero-variance groups", "truncated": "cut off"}
    return present(
        [
            lines("Length, tokens", table, {"length_right": "right", "length_wrong": "wrong", "length": "all"}),
            lines("KL from the reference, nats", table, {"kl": "KL"}),
            lines("Entropy, nats a token", table, {"entropy": "entropy"}),
            lines("Shares", table, shares, percents=True),
            lines("Gradient norm", table, {"grad_norm": "gradient norm"}),
            lines("Seconds a step", table, seconds),
            lines("Tokens a second", table, speed),
            lines("Sampler gap", table, {"sampler_gap": "sampler against trainer"}),
        ]
    )


def behaviour_charts(table: list[Row]) -> list[Chart]:
    """What the sampled thoughts do, over the steps (the article's figure 10)."""
    steps = [
        _series("checks a result", table, "behaviour/verification", "c2"),
        _series("takes one back", table, "behaviour/backtracking", "c1"),
        _series("says so: check", table, "behaviour/verification_words", "c2", dashed=True),
        _series("says so: wait", table, "behaviour/backtracking_words", "c1", dashed=True),
    ]
    note = "solid: found in the equations; dashed: in the words, which decide nothing"
    return present(
        [
            chart("Thoughts that check or take back", steps, size=HALF, percents=True, note=note),
            lines("Equations that are right", table, {"steps_valid": "right equations"}, size=HALF, percents=True),
        ]
    )


def pass_rate_chart(table: list[Row]) -> Chart | None:
    """Groups by how many of their completions are right, in the first steps and in the last."""
    counted = [as_list(row.get("pass_rate_histogram")) for row in table]
    known = [[number(value) or 0.0 for value in each] for each in counted if len(each) > 1]
    known = [each for each in known if len(each) == len(known[0])]
    if len(known) < 2:
        return None
    steps = max(1, min(20, len(known) // 4))
    sets, sizes = [], []
    for name, style, rows in ((f"first {steps}", "c0", known[:steps]), (f"last {steps}", "c2", known[-steps:])):
        totals = [sum(column) for column in zip(*rows, strict=True)]
        sizes.append(sum(totals))
        sets.append(Heights(f"{name} steps", [total / max(1.0, sum(totals)) for total in totals], style))
    labels = [str(right) for right in range(len(known[0]))]
    x_label = f"right of a group's {len(labels) - 1} completions"
    wide, narrow = both(lambda size: columns(sets, labels, size=size, x_label=x_label, percents=True), HALF)
    note = f"shares of n = {count(sizes[0])} and {count(sizes[1])} groups"
    return Chart("Pass rates before and after", wide, narrow, [(s.style, s.name) for s in sets], note=note)


def loss_charts(tables: Mapping[str, list[Row]]) -> list[Chart]:
    """Next-token loss of SFT and of the students."""
    names = {"loss": "training", "eval_loss": "held out"}
    size = HALF if len(tables) < 3 else SMALL
    return present([lines(title, table, names, size=size, share=60) for title, table in tables.items()])


def lines(
    title: str,
    table: list[Row],
    names: Mapping[str, str],
    *,
    size: Size = SMALL,
    percents: bool = False,
    share: int = 20,
) -> Chart | None:
    """A chart of some metrics against the step; None where none of them is there."""
    series = [_series(name, table, key, STYLES[i % 8], share=share) for i, (key, name) in enumerate(names.items())]
    return chart(title, series, size=size, percents=percents)


def chart(title: str, series: list[Series], *, size: Size, note: str = "", **options) -> Chart | None:
    """Lines with their names: at their ends where there is room, else in a legend."""
    shown = [s for s in series if s.points]
    if not shown:
        return None
    several = [s for s in shown if s.name]
    legend = [(s.style + (" dashed" if s.dashed else ""), s.name) for s in several] if len(several) > 1 else []
    if size == SMALL:
        return Chart(title, line_chart(shown, size=size, **options), None, legend, note=note)
    wide = line_chart(shown, size=size, named=bool(legend), **options)
    return Chart(title, wide, line_chart(shown, size=PHONE, **options), legend, True, note)


def _series(name: str, table: list[Row], key: str, style: str, share: int = 20, dashed: bool = False) -> Series:
    found = points(table, key)
    sparse = key.startswith("eval") or len(found) <= 12
    return Series(
        name, found, style=style, window=1 if sparse else bold_window(table, share), marked=sparse, dashed=dashed
    )


def both(draw: Callable[[Size], Markup], wide: Size) -> tuple[Markup, Markup]:
    return draw(wide), draw(PHONE)


def present(charts: Sequence[Chart | None]) -> list[Chart]:
    return [chart for chart in charts if chart]
