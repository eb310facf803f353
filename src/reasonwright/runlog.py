"""The run folder's records: JSON lines that can be cut back to a step, JSON files written whole; and a full disk said
in one sentence."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from reasonwright.types import UserError

NO_ROOM, READ_ONLY = (errno.ENOSPC, errno.EDQUOT), (errno.EROFS,)


@contextlib.contextmanager
def writing(path: Path, size: int | None = None) -> Iterator[None]:
    """Around writes: a full or read-only disk becomes a UserError that names the path and the `size` in bytes."""
    try:
        yield
    except Exception as error:
        code = _errno(error)
        if code not in NO_ROOM + READ_ONLY:
            raise
        raise UserError(
            _no_room(path, size) if code in NO_ROOM else f"{path} cannot be written: {os.strerror(code)}"
        ) from error


def require_room(path: Path, size: int) -> None:
    """Raises UserError where the disk has not `size` bytes free for `path`, whose folder is there."""
    if shutil.disk_usage(path.parent).free < size:
        raise UserError(_no_room(path, size))


def _no_room(path: Path, size: int | None) -> str:
    folder = next(parent for parent in path.parents if parent.exists())
    free = shutil.disk_usage(folder).free
    needed = f" of {size:,} bytes" if size is not None else ""
    return (
        f"the disk has no room for {path}{needed}, {free:,} are free: make room and run the same command again, "
        "which goes on from what was kept"
    )


def _errno(error: Exception) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))  # safetensors and tokenizers have errors of their own
    return int(found[1]) if found else None


def sync(*paths: Path) -> None:
    """Have files, and the names in folders, written to the disk itself, so that they survive a power cut."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    data = (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    with writing(path, len(data)):
        beside.write_bytes(data)
        _move_in(beside, path)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a file of rows whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.unlink(missing_ok=True)
    append_jsonl(beside, rows)
    with writing(path):
        _move_in(beside, path)


def append_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows; numbers that are not finite become null, which JSON has no other word for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(finite(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    data = "".join(lines).encode()
    with writing(path, len(data)), path.open("ab") as file:
        file.write(data)


def _move_in(beside: Path, path: Path) -> None:
    sync(beside)
    os.replace(beside, path)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a file that may end in the middle of one; [] where there is no file."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline was cut by a kill
    return [json.loads(line) for line in lines]


def keep_steps_before(path: Path, step: int) -> None:
    """Drop rows of steps that will be done again after going on from a checkpoint."""
    if path.exists():
        write_jsonl(path, [row for row in read_jsonl(path) if row["step"] < step])


def last_metrics(path: Path) -> dict[str, Any]:
    """The newest row of a metrics.jsonl without its step; {} where there is none."""
    rows = read_jsonl(path)
    return {name: value for name, value in rows[-1].items() if name != "step"} if rows else {}


def finite(value: Any) -> Any:
    """The value as JSON has it: numbers that are not finite are null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return value
