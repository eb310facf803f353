"""The small pure functions of the report: numbers, ticks, charts, sentences, the choice of problems."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from fake_run import write_run
from read_back import charts, coordinates

from reasonwright.report.answers import load_answers, split
from reasonwright.report.bars import Bar, Heights, bar_chart, columns, difference_chart
from reasonwright.report.figures import decimal, duration, percent, rolling, signed, student_t, tick_labels, ticks
from reasonwright.report.headline import headline
from reasonwright.report.lines import Series, line_chart
from reasonwright.report.read import metrics, number
from reasonwright.report.stages import Stage, load_stages


def test_numbers_read_well() -> None:
    assert percent(0.9304) == "93.0\u202f%"
    assert [decimal(v) for v in (0.0, 81.23, 1234.5, 0.01234, 1.23e-6)] == ["0", "81.2", "1,234", "0.0123", "1.2e−6"]
    assert [duration(s).replace("\u202f", " ") for s in (0.32, 59.7, 75, 7380)] == [
        "0.3 s",
        "1 min",
        "1 min 15 s",
        "2 h 3 min",
    ]
    assert signed(-0.5) == "−0.50"
    assert percent(None) == "–"


def test_what_is_not_a_number_is_none() -> None:
    assert [number(v) for v in (True, "3", None, math.nan, math.inf, 10**400, 1e300)] == [None] * 7
    assert number(3) == 3.0


def test_ticks_are_round() -> None:
    assert tick_labels(ticks(0, 0.93)) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert tick_labels(ticks(0, 1, about=4), percents=True) == ["0%", "25%", "50%", "75%", "100%"]
    assert tick_labels(ticks(0, 17000, about=4)) == ["0", "5,000", "10,000", "15,000", "20,000"]
    assert tick_labels(ticks(1, 8, about=7, whole=True)) == [str(i) for i in range(1, 9)]


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (5, 5), (-2, -2), (0, 5e-324), (1e-30, 1e30), (-1e30, 1e30), (7, 7.0000001)]
)
def test_ticks_enclose_any_range(low: float, high: float) -> None:
    values = ticks(low, high)
    assert 2 <= len(values) <= 12
    assert all(map(math.isfinite, values))
    assert values[0] <= low + 1e-9 * max(1, abs(low))
    assert values[-1] >= high - 1e-9 * abs(high)
    assert len(tick_labels(values)) == len(values)


def test_rolling_is_a_centred_mean_with_its_interval() -> None:
    """The interval against scipy-free numbers: t(2) = 4.303 by table, ours within 4 % there and 1 % from 3 on."""
    found = rolling([0, 3, 6, 3], 3)
    assert [mean for mean, _ in found] == pytest.approx([1.5, 3, 4, 4.5])
    assert found[1][1] == pytest.approx(student_t(2) * 3 / math.sqrt(3))
    assert [student_t(v) for v in (2, 3, 4, 9, 30)] == pytest.approx([4.303, 3.182, 2.776, 2.262, 2.042], rel=0.04)
    assert [student_t(v) for v in (3, 4, 9, 30)] == pytest.approx([3.182, 2.776, 2.262, 2.042], rel=0.01)
    assert rolling([1, 2], 1) == [(1, 0), (2, 0)]
    assert rolling([], 5) == []


def test_line_goes_through_its_points() -> None:
    svg = line_chart([Series("a", [(0, 0), (10, 1)])], size=(360, 210))
    line = next(node for node in charts(svg)[0].iter() if node.get("class") == "line c1")
    (x0, y0), (x1, y1) = (map(float, point.split()) for point in str(line.get("d")).removeprefix("M").split("L"))
    assert x0 < x1
    assert y0 > y1 == 10.0


def test_charts_drop_what_is_not_finite() -> None:
    bad = [(0.0, math.nan), (1.0, math.inf), (math.nan, 1.0)]
    assert line_chart([Series("none", bad)]) == ""
    svg = line_chart([Series("<b>&\x00", [*bad, (2.0, 3.0)], window=3, whiskers=[(2.0, math.nan, 1.0)])], named=True)
    assert all("nan" not in place and "inf" not in place for place in coordinates(charts(svg)[0]))
    assert bar_chart([]) == ""
    assert difference_chart([]) == ""
    assert columns([], [], x_label="x") == ""
    assert charts(columns([Heights("", [0.0])], ["a"], x_label="x"))
    assert charts(difference_chart([Bar("none", 0.0, "0", interval=(0.0, 0.0))]))
    assert charts(bar_chart([Bar("zero", 0.0, "0"), Bar("a" * 90, 1.0, "1", interval=(0.5, 1.5))]))


def test_long_runs_stay_small() -> None:
    points = [(float(i), math.sin(i / 500)) for i in range(20_000)]
    assert len(line_chart([Series("long", points, window=50)])) < 60_000


def test_resumed_steps_count_once(tmp_path: Path) -> None:
    rows = [{"step": 1, "loss": 9}, {"step": 2, "loss": 8}, {"step": 1, "loss": 7}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert metrics(tmp_path / "metrics.jsonl") == [{"step": 1, "loss": 7}, {"step": 2, "loss": 8}]


def _stage(key: str, accuracy: float, half: float = 0.02) -> Stage:
    ends = (accuracy - half, accuracy + half)
    return Stage(key, key, "c1", False, accuracy, accuracy, ends, ends, 1000, 50, 0, 1, [])


def test_headline_says_what_happened() -> None:
    def said(*stages: Stage) -> str:
        return headline(stages, []).replace("\u202f", " ").replace("\xa0", " ")

    assert said(_stage("sft", 0.481), _stage("grpo", 0.93)) == (
        "GRPO raised strict accuracy from 48.1 % to 93.0 % (n = 1,000; 95 % intervals 46.1–50.1 and 91.0–95.0)."
    )
    assert said(_stage("sft", 0.9), _stage("grpo", 0.5)).startswith(
        "GRPO lowered strict accuracy from 90.0 % to 50.0 %"
    )
    assert "overlap, so this may be chance" in said(_stage("sft", 0.50), _stage("grpo", 0.53))
    assert said(_stage("sft", 0.5), _stage("grpo", 0.5)).startswith("GRPO left strict accuracy at 50.0 %")
    assert said(_stage("base_cot", 0.1), _stage("sft", 0.5)).startswith("SFT raised lenient accuracy from the base")
    assert said() == "No stage is evaluated yet."
    assert headline([], [{"step": 0, "reward": 0.5}]).endswith("the mean reward of the last 1 is 0.50.")


def test_stages_come_in_order_with_those_not_summed_up(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", problems=16, steps=4)
    (run / "eval" / "sft_clean.json").write_text('{"accuracy": 0.5}')
    keys = ["base_direct", "base_cot", "sft", "grpo", "student_sft", "student", "sft_clean", "grpo.word_problems_long"]
    assert [stage.key for stage in load_stages(run)] == keys


def test_problems_shown_are_a_mix(demo: Path) -> None:
    answers = load_answers(demo)
    assert len(answers.cases) == 6
    assert len({case.difficulty for case in answers.cases}) >= 4
    reasons = {case.why for case in answers.cases}
    assert {"made right by GRPO", "still wrong after GRPO", "right in every column"} <= reasons
    by_reason = dict(answers.counts)
    rows = {
        stage: [json.loads(line) for line in (demo / "eval" / f"{stage}.jsonl").read_text().splitlines()]
        for stage in ("sft", "grpo")
    }
    made = sum(not a["lenient"] and b["lenient"] for a, b in zip(rows["sft"], rows["grpo"], strict=True))
    assert by_reason["made right by GRPO"] == made


def test_completion_is_cut_into_thought_and_answer() -> None:
    whole = split({"text": "<think>\n1 + 1 = 2\n</think>\n\nThe answer is 2.", "strict": True, "lenient": True})
    assert (whole.thought, whole.answer, whole.plain, whole.verdict) == ("1 + 1 = 2", "The answer is 2.", "", "right")
    open_ = split({"text": "<think>\n1 + 1", "strict": False, "lenient": False, "finish_reason": "length"})
    assert (open_.plain, open_.verdict, open_.cut_off) == ("<think>\n1 + 1", "wrong", True)
    assert split({"text": "2", "lenient": True}).verdict == "form"
    assert "8,500 more characters" in split({"text": "x" * 10_000}).plain
