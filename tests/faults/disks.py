"""Real disks that fill up: a tmpfs of a few megabytes, or with room for a few files."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def disk(place: Path, options: str) -> Iterator[Path]:
    """Mount a tmpfs, such as with "size=2m"; the test is skipped where that is not permitted."""
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True, text=True)
        refused = done.stderr.strip() if done.returncode else None
    except OSError as error:
        refused = str(error)
    if refused:
        pytest.skip(f"FULL DISK NOT TESTED: no tmpfs can be mounted here ({refused}); run as root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def remount(place: Path, options: str) -> None:
    """Change a mounted disk: "ro", or another size."""
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True, capture_output=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
