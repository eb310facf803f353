"""Runs that the tests of the report only read."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_run import write_run

from reasonwright.report import build_report


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its report."""
    run = write_run(tmp_path_factory.mktemp("runs") / "demo")
    build_report(run)
    return run


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose texts and names try to become markup, with its report."""
    run = write_run(tmp_path_factory.mktemp("runs") / "<img src=x onerror=alert(0)>", hostile=True)
    build_report(run)
    return run
