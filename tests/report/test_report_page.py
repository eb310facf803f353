"""The page as a whole: its figures, its safety, and runs that are not finished."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from fake_run import HOSTILE
from read_back import Page, charts, coordinates, read_page

from reasonwright.report import build_report
from reasonwright.report.figures import count, interval, percent
from reasonwright.types import UserError


def test_figures_on_the_page_are_those_of_the_files(demo: Path) -> None:
    text = read_page(demo).text
    summary = json.loads((demo / "summary.json").read_text())
    for stage in summary["stages"].values():
        assert percent(stage["accuracy"]).replace("\u202f", " ") in text.replace("\u202f", " ")
        assert percent(stage["accuracy_lenient"]).replace("\u202f", " ") in text.replace("\u202f", " ")
        assert interval(tuple(stage["ci95"])) in text
    stats = json.loads((demo / "rejection" / "stats.json").read_text())
    for key in ("problems", "sampled", "right", "kept", "problems_solved"):
        assert count(stats[key]) in text
    sft, grpo = summary["stages"]["sft"], summary["stages"]["grpo"]
    first = f"GRPO raised strict accuracy from {sft['accuracy']:.1%} to {grpo['accuracy']:.1%}"
    assert first in re.sub(r"\s%", "%", text)


def test_all_sections_are_there(demo: Path) -> None:
    page = read_page(demo)
    sections = [attributes.get("id") for tag, attributes in page.tags if tag == "section" and "id" in attributes]
    assert sections == [
        "says",
        "accuracy",
        "controls",
        "reward",
        "training",
        "difficulty",
        "thoughts",
        "answers",
        "microscope",
        "loss",
        "rejection",
        "cost",
        "checks",
        "setting",
    ]
    assert "not run" not in page.text.lower()
    assert sum(attributes.get("class") == "case" for _, attributes in page.tags) == 6 + 1


@pytest.mark.parametrize("run", ["demo", "hostile"])
def test_page_is_closed_and_asks_for_nothing(run: str, request: pytest.FixtureRequest) -> None:
    page = read_page(request.getfixturevalue(run))
    assert page.open == []
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in {"src", "href", "xlink:href", "action", "data"} & set(attributes):
            assert (attributes[name] or "").startswith("#"), (tag, attributes)
    policies = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert policies[0] is not None
    assert policies[0].startswith("default-src 'none'; style-src 'unsafe-inline'")
    style = page.html.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_hostile_text_is_shown_and_is_only_text(hostile: Path) -> None:
    page = read_page(hostile)
    for payload in (HOSTILE[0], HOSTILE[1], HOSTILE[2], HOSTILE[4], "<img src=x onerror=alert(0)>"):
        assert payload in page.text
        if "<" in payload:
            assert payload not in page.html
    plain, attacked = {tag for tag, _ in read_page(hostile).tags}, {tag for tag, _ in page.tags}
    assert attacked == plain


@pytest.mark.parametrize("run", ["demo", "hostile"])
def test_charts_are_xml_with_finite_coordinates(run: str, request: pytest.FixtureRequest) -> None:
    found = charts(read_page(request.getfixturevalue(run)).html)
    assert len(found) > 15
    for svg in found:
        assert not [place for place in coordinates(svg) if re.search("nan|inf|e", place)]


def test_broken_metrics_do_no_harm(demo: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    shutil.copytree(demo, run)
    rows = [
        {"step": 0, "reward": 0.5, "kl": float("nan"), "length_wrong": None, "grad_norm": float("inf")},
        {"step": 1, "reward": None, "kl": 1e300, "entropy": "high", "accuracy": True, "grad_norm": 10**400},
        {"step": 1, "reward": 0.75, "loss": -1e-9, "entropy": 5e-324},
        {"reward": 1.0},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows) + '[1, 2]\nnull\n\n\x00\n{"step": 2, "rew'
    (run / "grpo" / "metrics.jsonl").write_text(lines)
    (run / "sft" / "metrics.jsonl").write_bytes(b'{"step": 3, "loss": 0.25}\n\xff\xfe{')
    (run / "rejection" / "stats.json").write_text('{"pass_rate_histogram": [1, null, "x"], "by_difficulty": 3, "kept')
    (run / "eval" / "sft.jsonl").write_text('{"id": "a", "text": null}\n{"id"')
    (run / "env.json").write_text("[" * 100_000)
    html = build_report(run).read_text(encoding="utf-8")
    for svg in charts(html):
        assert not [place for place in coordinates(svg) if re.search("nan|inf|e", place)]
    assert "2 steps" in Page(html).text


@pytest.mark.parametrize(
    "gone", ["summary.json", "eval", "sft", "grpo", "rejection", "distill", "recipe.yaml", "env.json"]
)
def test_any_stage_may_be_missing(gone: str, demo: Path, tmp_path: Path) -> None:
    run = tmp_path / "partial"
    shutil.copytree(demo, run, ignore=shutil.ignore_patterns(gone))
    assert Page(build_report(run).read_text(encoding="utf-8")).open == []


@pytest.mark.parametrize("only", ["summary.json", "eval", "sft", "grpo", "rejection", "distill", "recipe.yaml"])
def test_any_part_may_stand_alone(only: str, demo: Path, tmp_path: Path) -> None:
    run, source = tmp_path / "partial", demo / only
    run.mkdir()
    shutil.copytree(source, run / only) if source.is_dir() else shutil.copy(source, run)
    page = Page(build_report(run).read_text(encoding="utf-8"))
    assert page.open == []
    assert "not run yet" in page.text


def test_wrong_types_everywhere_do_no_harm(demo: Path, tmp_path: Path) -> None:
    """Every JSON value in turn may be of another type than promised."""
    run = tmp_path / "odd"
    for odd in (None, 3, "x", [1], {"sft": 4}, {"stages": {"sft": [1]}, "seconds": {"a": "b"}}):
        for place in (
            "summary.json",
            "eval/sft.json",
            "eval/examples.json",
            "rejection/stats.json",
            "env.json",
            "eval/behaviours.json",
            "ablate.json",
            "check.json",
            "sft/stage.json",
            "recipe.yaml",
        ):
            (run / place).parent.mkdir(parents=True, exist_ok=True)
            (run / place).write_text(json.dumps(odd))
        for place in ("eval/sft.jsonl", "grpo/microscope.jsonl", "grpo/metrics.jsonl", "grpo/warnings.jsonl"):
            (run / place).parent.mkdir(parents=True, exist_ok=True)
            (run / place).write_text(json.dumps(odd) + "\n" + json.dumps({"completions": [odd], "id": odd, "step": 1}))
        build_report(run)


def test_what_is_no_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "notes.txt"):
        with pytest.raises(UserError, match=re.escape(str(path))) as caught:
            build_report(path)
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_report_is_the_same_each_time_and_leaves_nothing_else(demo: Path, tmp_path: Path) -> None:
    run = tmp_path / "demo"
    shutil.copytree(demo, run)
    before = (run / "report.html").read_bytes()
    assert build_report(run) == run / "report.html"
    assert (run / "report.html").read_bytes() == before
    assert {path.name for path in run.iterdir()} == {path.name for path in demo.iterdir()}
