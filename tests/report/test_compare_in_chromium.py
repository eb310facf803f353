"""The page of several hostile runs in a real browser, and the microscope's switches, which work without a script."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import fake_run
import pytest
import test_report_in_chromium as browser
from fake_run import write_run

from reasonwright.report import compare_runs

asked, chromium = browser.asked, browser.chromium


def test_compared_hostile_runs_run_no_script_and_make_no_request(
    chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[int, list[str]]
) -> None:
    port, paths = asked
    monkeypatch.setattr(fake_run, "HOSTILE", [text.replace("PORT", str(port)) for text in browser.PAYLOADS])
    names = ("<img src=x onerror=document.documentElement.id=`pwned`>", "'><script>document.title=`pwned`<")
    runs = [write_run(tmp_path / name, problems=40, steps=20, hostile=True, seed=i) for i, name in enumerate(names)]
    page = compare_runs(runs, tmp_path / "compare.html")
    html = re.sub(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", page.read_text(encoding="utf-8"))
    page.write_text(html, encoding="utf-8")  # the escaping alone must do
    elements = browser.visit(chromium, page, tmp_path)
    assert elements.count("`pwned`") > 3
    assert "pwned" not in elements[elements.index("<html") :].partition(">")[0]
    assert "<title>pwned" not in elements
    assert paths == []


@pytest.mark.slow
def test_shades_are_switched_by_the_style_sheet_alone(chromium: str, demo: Path, tmp_path: Path) -> None:
    """Another radio button is checked: other pixels, though the page has no script."""
    html = (demo / "report.html").read_text(encoding="utf-8")
    only = html[: html.index("<main>")] + html[html.index('<section id="microscope">') :]
    pictures = []
    for i, text in enumerate((only, only.replace(" checked>", ">").replace('id="by-kl">', 'id="by-kl" checked>'))):
        page, picture = tmp_path / f"{i}.html", tmp_path / f"{i}.png"
        page.write_text(text, encoding="utf-8")
        command = [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=600,900"),
            *(f"--screenshot={picture}", page.as_uri()),
        ]
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        pictures.append(picture.read_bytes())
    assert "<script" not in only
    assert pictures[0] != pictures[1]
