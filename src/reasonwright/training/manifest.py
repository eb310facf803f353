"""A checkpoint's manifest.json: length and sha256 of every other file, so that damage is named and not loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from reasonwright.runlog import read_json, write_json
from reasonwright.types import UserError


def write_manifest(folder: Path) -> None:
    """Seal the files that lie in `folder`."""
    write_json(folder / "manifest.json", {"files": {_name(f, folder): _seal(f) for f in files_of(folder)}})


def verify(folder: Path, mend: str) -> None:
    """Raises UserError naming the first file that is missing, cut, changed, or not in the manifest."""
    if not (folder / "manifest.json").is_file():
        raise UserError(f"{folder / 'manifest.json'} is missing: {mend}")
    try:
        files = read_json(folder / "manifest.json")["files"]
    except (ValueError, KeyError):
        raise UserError(f"{folder / 'manifest.json'} is damaged: {mend}") from None
    for name, seal in files.items():
        file = folder / name
        if not file.is_file():
            raise UserError(f"{file} is missing: {mend}")
        if _seal(file) != seal:
            raise UserError(f"{file} is damaged, its sha256 is not that of the manifest: {mend}")
    for file in files_of(folder):
        if _name(file, folder) not in files.keys() | {"manifest.json"}:
            raise UserError(f"{file} is not part of the checkpoint: remove that file")


def _seal(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _name(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder))
