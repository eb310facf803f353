"""Several runs on one page, and the page of a run that goes on."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest
from fake_run import write_run
from read_back import Page, charts

from reasonwright.cli import main
from reasonwright.report import compare_runs
from reasonwright.report.watch import watch_report
from reasonwright.runlog import read_jsonl
from reasonwright.types import UserError


def page_of(*runs: Path, out: Path) -> Page:
    return Page(compare_runs(runs, out).read_text(encoding="utf-8"))


def test_runs_are_laid_over_each_other(demo: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", steps=40, seed=1)
    (other / "eval" / "grpo.jsonl").write_bytes((demo / "eval" / "sft.jsonl").read_bytes())  # same problems, worse
    page = page_of(demo, other, out=tmp_path / "pages" / "compare.html")
    assert page.open == []
    assert len(charts(page.html)) == 2 * 5  # four curves and the differences, wide and narrow
    one, two = (sum(row["strict"] for row in read_jsonl(demo / "eval" / f"{s}.jsonl")) for s in ("sft", "grpo"))
    assert f"GRPO: demo → other {100 * (one - two) / 120:+.1f}".replace("-", "−") in page.text
    assert "SFT: demo → other" in page.text  # the fake problems have the same ids with every seed
    assert "seed01" in page.text.replace(" ", "")  # settings that differ
    assert "group_size" not in page.text


def test_other_problems_are_not_paired(demo: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", problems=60, steps=8)
    assert (
        "No two of these runs were evaluated on the same problems."
        in page_of(demo, other, out=tmp_path / "c.html").text
    )


def test_names_are_told_apart_and_a_run_is_not_compared_with_itself(demo: Path, tmp_path: Path) -> None:
    other = tmp_path / "again" / "demo"
    shutil.copytree(demo, other)
    assert "again/demo" in page_of(demo, other, out=tmp_path / "c.html").text
    with pytest.raises(UserError, match="compared with itself"):
        compare_runs([demo, demo], tmp_path / "c.html")


def test_hostile_runs_are_only_text(hostile: Path, demo: Path, tmp_path: Path) -> None:
    page = page_of(hostile, demo, out=tmp_path / "c.html")
    plain = page_of(demo, write_run(tmp_path / "x", seed=1), out=tmp_path / "d.html")
    assert hostile.name in page.text
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]


def test_watch_ends_with_the_run_and_leaves_a_page_that_stays(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", problems=16, steps=8)
    summary = (run / "summary.json").read_text()
    (run / "summary.json").unlink()
    thread = threading.Thread(target=watch_report, args=(run, 1), daemon=True)
    thread.start()
    page, until = run / "report.html", time.monotonic() + 20
    while not page.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert '<meta http-equiv="refresh" content="1">' in page.read_text(encoding="utf-8")
    (run / "summary.json").write_text(summary)
    thread.join(20)
    assert not thread.is_alive()
    assert 'http-equiv="refresh"' not in page.read_text(encoding="utf-8")


def test_commands(
    demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    run = tmp_path / "run"
    shutil.copytree(demo, run)
    main(["report", str(run), "--open", "--watch"])
    main(["compare", str(demo), str(run), "--out", str(tmp_path / "c.html"), "--open"])
    assert shown == [(run / "report.html").resolve().as_uri(), (tmp_path / "c.html").resolve().as_uri()]
    assert capsys.readouterr().out.split() == [str(run / "report.html"), str(tmp_path / "c.html")]
