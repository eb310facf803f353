"""Reading a run folder that may be half written: what is missing or broken is left out, never an exception."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reasonwright.types import UserError

Row = dict[str, Any]

MARKS = ("recipe.yaml", "summary.json", "env.json", "eval", "sft", "grpo", "rejection", "distill")
"""A folder with any of these is a run folder."""
LARGEST = 1e30
"""No figure of a run is larger; what is would only overflow the charts."""


def check_run(run: Path) -> None:
    """Refuse what is not a run folder."""
    if not run.is_dir():
        raise UserError(f"There is no folder {str(run)!r}: give the folder that `reasonwright run` wrote.")
    if not any((run / mark).exists() for mark in MARKS):
        raise UserError(
            f"{str(run)!r} is not a run folder (no recipe.yaml, no summary.json, no stage in it): "
            "give the folder that `reasonwright run` wrote."
        )


def read_text(path: Path) -> str:
    """The file as text, "" where there is none; bytes that are not UTF-8 become replacement marks."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def read_recipe(run: Path) -> Row:
    """The recipe's values as they are written, {} where there is none or it is broken."""
    try:
        return as_dict(yaml.safe_load(read_text(run / "recipe.yaml")))
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}


def read_json(path: Path) -> Any:
    """The parsed file, or None where it is missing or broken."""
    return _parse(read_text(path))


def rows(path: Path) -> Iterator[Row]:
    """The objects of a JSON-lines file, in order. A line that a killed process left half written is passed over."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                row = _parse(line)
                if isinstance(row, dict):
                    yield row
    except OSError:
        return


def metrics(path: Path) -> list[Row]:
    """Metric rows by step. A run that was stopped and resumed writes some steps twice: the later row counts."""
    by_step: dict[float, Row] = {}
    for row in rows(path):
        step = number(row.get("step"))
        if step is not None:
            by_step[step] = row
    return [by_step[step] for step in sorted(by_step)]


def as_dict(value: object) -> Row:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def number(value: object) -> float | None:
    """A finite number of sane size, or None for anything else (null, NaN, a string, true)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= LARGEST else None  # NaN compares as False


def pair(value: object) -> tuple[float, float] | None:
    """An interval [low, high], or None."""
    ends = [number(end) for end in as_list(value)]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    return ends[0], ends[1]


def points(table: list[Row], key: str) -> list[tuple[float, float]]:
    """(step, value) of one metric, where it is there and finite."""
    found = []
    for row in table:
        x, y = number(row.get("step")), number(row.get(key))
        if x is not None and y is not None:
            found.append((x, y))
    return found


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
