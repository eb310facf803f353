"""The hostile run's report in a real browser: no script runs, nothing is asked for."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fake_run
import pytest
from fake_run import write_run

from reasonwright.report import build_report

PWN = "document.documentElement.setAttribute(`pwned`,1)"
PAYLOADS = [
    f"<script>{PWN}</script>",
    f"<img src=x onerror={PWN}>",
    f"</pre></style></title></script><svg onload={PWN}>",
    f"<details open ontoggle={PWN}><iframe srcdoc=<script>parent.{PWN}</script>>",
    f"--><input autofocus onfocus={PWN}><link rel=stylesheet href=http://127.0.0.1:PORT/x.css>",
    f"x onmouseover={PWN} style=background:url(http://127.0.0.1:PORT/y)",
    "<meta http-equiv=refresh content=0;url=http://127.0.0.1:PORT/z><base href=http://127.0.0.1:PORT/>",
    f"{{{{''.__class__}}}} &lt;script&gt;{PWN}&lt;/script&gt; <object data=data:text/html,<script>{PWN}</script>>",
]


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("BROWSER NOT TESTED: chromium is not installed (`apt-get install chromium`)")
    return found


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """A real server's port, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, paths
        server.shutdown()
        thread.join()


def visit(chromium: str, page: Path, tmp_path: Path) -> str:
    """The page's elements after its scripts had a second to run."""
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=1000", "--dump-dom", page.resolve().as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, errors="replace")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("policy", [True, False], ids=["with CSP", "without CSP"])
def test_hostile_text_runs_no_script_and_makes_no_request(
    chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[int, list[str]], policy: bool
) -> None:
    """In questions, completions, the run's name, metric names, the recipe, hardware and stage names. The escaping
    alone must do, as if the page had no content security policy behind it."""
    port, paths = asked
    monkeypatch.setattr(fake_run, "HOSTILE", [payload.replace("PORT", str(port)) for payload in PAYLOADS])
    run = write_run(tmp_path / "<img src=x onerror=document.documentElement.id=`pwned`>", hostile=True)
    page = build_report(run)
    if not policy:
        html, count = re.subn(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", page.read_text(encoding="utf-8"))
        assert count == 1
        page.write_text(html, encoding="utf-8")
    elements = visit(chromium, page, tmp_path)
    assert elements.count("`pwned`") > 20  # the payloads are shown
    root = elements[elements.index("<html") :].partition(">")[0]
    assert "pwned" not in root
    assert paths == []


def test_the_browser_would_have_told(chromium: str, tmp_path: Path, asked: tuple[int, list[str]]) -> None:
    """Most of the same payloads, not escaped: the script runs and the request is made."""
    port, paths = asked
    page = tmp_path / "open.html"
    payloads = "".join(PAYLOADS[:2] + PAYLOADS[4:5]).replace("PORT", str(port))
    page.write_text(f"<!doctype html><html><body>{payloads}</body></html>")
    elements = visit(chromium, page, tmp_path)
    assert "pwned" in elements[elements.index("<html") :].partition(">")[0]
    assert "/x.css" in paths
