"""The strict reader of rows that all file tasks share.

JSON Lines, UTF-8, one object a line; lines of white space are passed over. A row with any fault is an error that names
file, line and mend; with `skip_bad_rows` it is left out, and how many were is logged once a file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from reasonwright.types import AnswerKind, Problem, UserError
from reasonwright.verify import check_gold

logger = logging.getLogger("reasonwright")

Row = dict[str, Any]
_MISSING = object()


class RowError(Exception):
    """What is wrong with a row, and the mend; the reader adds the place."""


def read_jsonl(
    path: Path, parse: Callable[[Row, int], Problem], *, skip_bad_rows: bool = False
) -> list[tuple[int, Problem]]:
    """The problems of a JSON Lines file with their line numbers, from 1. `parse` makes one of a row and its line."""
    return collect(path, _lines(path), lambda raw, line: parse(_decode(raw, first=line == 1), line), skip_bad_rows)


def read_json_list(
    path: Path, parse: Callable[[Row, int], Problem], *, skip_bad_rows: bool = False
) -> list[tuple[int, Problem]]:
    """The problems of a file that is one JSON list of objects; the number is the element's place, from 1."""
    try:
        rows = _loads(_text(_read(path), first=True))
    except RowError as error:
        raise UserError(f"{path}: {error}") from None
    if not isinstance(rows, list):
        raise UserError(f"{path}: a JSON list of rows was expected, this is {_kind(rows)}")
    return collect(path, enumerate(rows, 1), lambda row, at: parse(_object(row), at), skip_bad_rows, place=" row ")


def collect(
    path: Path,
    items: Iterator[tuple[int, Any]] | enumerate[Any],
    parse: Callable[[Any, int], Problem],
    skip_bad_rows: bool,
    place: str = "",
) -> list[tuple[int, Problem]]:
    """Parse each numbered item; the first fault ends it, or is counted. No two problems have the same id."""
    kept: list[tuple[int, Problem]] = []
    seen: dict[str, int] = {}
    faults: list[str] = []
    for number, item in items:
        try:
            problem = parse(item, number)
            if problem.id in seen:
                raise RowError(f"`id` is that of line {seen[problem.id]}; give each row its own")
        except RowError as error:
            fault = f"{path}:{place}{number}: {error}"
            if not skip_bad_rows:
                raise UserError(f"{fault} (or leave such rows out with skip_bad_rows)") from None
            faults.append(fault)
            continue
        seen[problem.id] = number
        kept.append((number, problem))
    if faults:
        total = len(faults) + len(kept)
        logger.warning("%s: skipped %d bad rows of %d; the first: %s", path, len(faults), total, faults[0])
    if not kept:
        raise UserError(f"{path}: no row is usable; {faults[0]}" if faults else f"{path}: the file is empty")
    return kept


def text(row: Row, column: str) -> str:
    """A column that must hold text which is more than white space."""
    value = row.get(column, _MISSING)
    if value is _MISSING:
        raise RowError(f"column `{column}` is missing; the row has {', '.join(f'`{name}`' for name in row) or 'none'}")
    if not isinstance(value, str):
        raise RowError(f"`{column}` must be text in quotes, this is {_kind(value)}")
    if not value.strip():
        raise RowError(f"`{column}` is empty; fill it in")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RowError(f"`{column}` holds half a character (a lone surrogate); write the character whole") from None
    return value


def optional_text(row: Row, column: str) -> str | None:
    """A column that may be missing or null."""
    return None if row.get(column) is None else text(row, column)


def number_or_text(row: Row, column: str, *, computed: bool = False) -> str:
    """A column of text or a number, as text: 51.0 and "51" are both "51"; decimals keep every digit of the file.

    A decimal that was `computed` in floats is cut to the fifteen digits a float holds surely: 3244047.0999999996
    is 3244047.1. Whole numbers are never cut.
    """
    value = row.get(column, _MISSING)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return text(row, column).strip()
    if isinstance(value, int):
        return str(value)
    if abs(value.adjusted()) > 1000:
        raise RowError(f"`{column}` has more than a thousand digits")
    if computed and value != value.to_integral_value():
        value = Decimal(f"{value:.15g}")
    plain = format(value, "f")
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if plain == "-0" else plain


def check(gold: str, kind: AnswerKind, hint: str = "") -> str:
    """The gold answer, if the verifier can read it."""
    try:
        check_gold(gold, kind)
    except UserError as error:
        raise RowError(f"{error}{hint}") from None
    return gold


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Numbered lines as bytes, so that a bad byte has a line."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _text(raw: bytes, first: bool) -> str:
    try:
        return raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise RowError(f"byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None


def _decode(raw: bytes, first: bool) -> Row:
    return _object(_loads(_text(raw, first)))


def _loads(source: str) -> Any:
    try:
        return json.loads(
            source, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_without_duplicates
        )
    except json.JSONDecodeError as error:
        raise RowError(f"broken JSON ({error.msg}, column {error.colno}); write one whole object") from None
    except (ValueError, RecursionError):
        raise RowError("broken JSON (a number of thousands of digits, or nested too deep)") from None


def _object(value: Any) -> Row:
    if not isinstance(value, dict):
        raise RowError(f"a row must be a JSON object {{…}}, this is {_kind(value)}")
    return value


def _no_constant(name: str) -> Any:
    raise RowError(f"{name} is not JSON; write a number or null")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise RowError("a column is given twice; keep one")
    return row


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
