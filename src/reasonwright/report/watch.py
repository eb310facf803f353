"""The report of a run that goes on: written anew until the run is finished."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from reasonwright.report.build import build_report

SECONDS = 5


def watch_report(run: Path, seconds: int = SECONDS) -> Path:
    """Rebuild the report every `seconds`, as a page that loads itself anew, until summary.json says that the run is
    finished, or somebody presses Ctrl-C. The last page stays as it is."""
    with contextlib.suppress(KeyboardInterrupt):
        while not (run / "summary.json").exists():
            build_report(run, refresh=seconds)
            time.sleep(seconds)
    return build_report(run)
