"""The folder of one run: what is where, who may write, and where it was run."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reasonwright.provenance import inputs
from reasonwright.recipe import Recipe, differences, load_recipe, save_recipe
from reasonwright.runlog import append_jsonl, read_json, sync, write_json, writing
from reasonwright.types import UserError

PACKAGES = ("reasonwright", "torch", "transformers", "tokenizers", "safetensors", "numpy", "pydantic")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder; a second run on it at the same time is refused. The lock goes with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise UserError(f"run folder {folder} cannot be written: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another run is using {folder}: wait for it, or choose another folder with --out"
            ) from None
        yield


def open_run(folder: Path, recipe: Recipe, accept_changes: bool = False) -> None:
    """Start a run folder, or go on in one that was started with the same recipe.

    Raises UserError, naming the keys that differ, where it was another recipe, unless changes are accepted: what is
    done stays, the rest is done with the new recipe, and recipe_changes.jsonl says so.
    """
    saved = folder / "recipe.yaml"
    changed = differences(load_recipe(saved), recipe) if saved.exists() else []
    if changed and not accept_changes:
        named = "; ".join(changed[:4]) + ("; …" if len(changed) > 4 else "")
        raise UserError(
            f"{folder} was started with other settings ({named}): choose another folder with --out, or remove it, or "
            "go on with the new ones by --accept-changes"
        )
    if changed:
        append_jsonl(folder / "recipe_changes.jsonl", [{"time": _now(), "changes": changed}])
    if changed or not saved.exists():
        beside = folder / "recipe.yaml.partial"
        with writing(saved):
            save_recipe(recipe, beside)
            sync(beside)
            beside.replace(saved)
    if not (folder / "summary.json").exists():  # a finished run keeps the record of what made it
        made_of = inputs(recipe)
        if not accept_changes:
            _refuse_other_inputs(folder, made_of)
        write_json(folder / "env.json", environment() | made_of)


def _refuse_other_inputs(folder: Path, now: dict[str, Any]) -> None:
    """A run that goes on must find the problems and models that it was started with."""
    then = read_json(folder / "env.json") if (folder / "env.json").exists() else {}
    for kind, each in now.items():
        for name, value in each.items():
            if value != then.get(kind, {}).get(name, value):
                raise UserError(
                    f"the {kind} of {folder} ({name}) changed since it was started: restore it, choose another "
                    "folder with --out, or go on by --accept-changes"
                )


def environment() -> dict[str, Any]:
    """Where and with what a run happens; goes to env.json, beside what `provenance.inputs` says."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "git": _git_revision(),
        "argv": sys.argv,
        "time": _now(),
    }


def versions() -> dict[str, str]:
    """Versions of the packages that decide a run's numbers."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def stage_folder(run: Path, stage: str) -> Path:
    """Where a stage of a run leaves its model."""
    return run / ("distill/" + stage if stage.startswith("student") else stage)


def stage_done(folder: Path) -> dict[str, Any] | None:
    """What a finished stage left in its folder (seconds and final metrics), or None."""
    marker = folder / "stage.json"
    return read_json(marker) if marker.exists() else None


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _git_revision() -> str | None:
    """The revision of the source tree that runs, with + where it has changes; None where it is not a checkout."""
    here = Path(__file__).parent
    try:
        command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
