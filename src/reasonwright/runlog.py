"""The run folder's records: JSON lines that can be cut back to a step, JSON files written whole."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a file of rows whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.unlink(missing_ok=True)
    append_jsonl(beside, rows)
    os.replace(beside, path)


def append_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows; numbers that are not finite become null, which JSON has no other word for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(_finite(row), ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


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


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
