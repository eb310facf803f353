"""The recipe's key `track`: a run's metrics also in TensorBoard, trackio or Weights & Biases.

A thread follows the stage's metrics.jsonl, so that training knows nothing of it and waits for nobody. `tracked.json`
says up to which step rows were sent: a stage that is gone on with sends none twice.
"""

from __future__ import annotations

import importlib.util
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reasonwright.display import console
from reasonwright.runlog import read_json, read_jsonl, write_json
from reasonwright.types import UserError

PROJECT = "reasonwright"
SECONDS = 2.0
"""Between two looks at the file."""
PATIENCE = 60.0
"""Seconds that the end of a stage waits for the last rows to be sent."""

Figures = dict[str, float]
Writer = tuple[Callable[[Figures, int], None], Callable[[], None]]
"""Write one step's figures; close."""


def require_tracker(name: str | None) -> None:
    """Raise UserError where the recipe's tracker is not installed."""
    if name and importlib.util.find_spec(name) is None:
        raise UserError(
            f"track is {name}, which is not installed: `pip install 'reasonwright[track]'`, or set track to null"
        )


@contextmanager
def tracked(name: str | None, run: Path, stage: str) -> Iterator[None]:
    """Send the rows of `run/stage/metrics.jsonl` while they come; `stage` as in the folder: "distill/student"."""
    if name is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_follow, args=(name, run, stage, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(PATIENCE)


def _follow(name: str, run: Path, stage: str, over: threading.Event) -> None:
    file, memory = run / stage / "metrics.jsonl", run / stage / "tracked.json"
    sent = read_json(memory)["step"] if memory.exists() else -1
    writer: Writer | None = None
    try:
        while True:
            last_look = over.is_set()  # asked before reading, so that the last rows are read after they were written
            rows = [row for row in read_jsonl(file) if row["step"] > sent]
            if rows and writer is None:
                writer = WRITERS[name](run, stage)
            for row in rows:
                assert writer
                writer[0](_figures(row), row["step"])
                sent = row["step"]
            if rows:
                write_json(memory, {"step": sent})
            if last_look:
                break
            over.wait(SECONDS)
        if writer:
            writer[1]()
    except Exception as error:  # whatever is wrong with it, a training goes on without its tracker
        console.print(f"{name} failed ({error}); metrics.jsonl has every row", style="yellow", markup=False)


def _figures(row: dict[str, Any]) -> Figures:
    return {key: float(v) for key, v in row.items() if key != "step" and isinstance(v, int | float)}


def _names(run: Path, stage: str) -> tuple[str, str]:
    """(name, identifier without special characters)"""
    name = f"{run.resolve().name}/{stage}"
    return name, re.sub(r"[^A-Za-z0-9._-]", "-", name)


def _tensorboard(run: Path, stage: str) -> Writer:
    from torch.utils.tensorboard import SummaryWriter

    board = SummaryWriter(str(run / "tensorboard" / stage))

    def write(figures: Figures, step: int) -> None:
        for key, value in figures.items():
            board.add_scalar(key, value, step)
        board.flush()

    return write, board.close


def _trackio(run: Path, stage: str) -> Writer:
    import trackio

    trackio.init(project=PROJECT, name=_names(run, stage)[1], resume="allow", embed=False)
    return lambda figures, step: trackio.log(figures, step=step), trackio.finish


def _wandb(run: Path, stage: str) -> Writer:
    import wandb

    name, identifier = _names(run, stage)
    session = wandb.init(project=PROJECT, name=name, id=identifier, resume="allow", dir=str(run))
    return lambda figures, step: session.log(figures, step=step), session.finish


WRITERS: dict[str, Callable[[Path, str], Writer]] = {"tensorboard": _tensorboard, "trackio": _trackio, "wandb": _wandb}
