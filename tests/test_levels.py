"""A module imports only from lower levels; modules of one level do not import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import ROOT

LEVELS = [
    ["types", "settings"],
    ["chat", "objectives", "runlog", "display", "stopping", "process"],
    ["models", "verify", "data"],
    ["sampling", "tasks"],
    ["evaluation"],
    ["training"],
    ["distillation"],
    ["recipe"],
    ["provenance"],
    ["runfolder", "cards", "preflight", "track"],
    ["summary", "planner"],
    ["measurements"],
    ["pipeline", "pretraining", "report", "serve", "reproduce"],
    ["ablate"],
    ["commands"],
    ["cli"],
    ["__main__"],
]
"""Files and folders of the package, lowest first."""

LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
PACKAGE = ROOT / "src" / "reasonwright"
MODULES = sorted(PACKAGE.rglob("*.py"))


def place_of(path: Path) -> str:
    """The file or folder of the package that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> Iterator[str]:
    """The places of our own package that a source imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "reasonwright" and len(parts) > 1 and parts[1] != "__version__":
                yield parts[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path):
    own = place_of(path)
    if own == "__init__":
        assert not list(imported(path.read_text(encoding="utf-8")))
        return
    for other in imported(path.read_text(encoding="utf-8")):
        assert other == own or LEVEL[other] < LEVEL[own], f"{path.name} is on level {LEVEL[own]}: {other} is not below"


def test_every_place_has_a_level():
    assert {place_of(path) for path in MODULES} - {"__init__"} == set(LEVEL)


def test_the_objectives_know_no_models_and_no_files():
    for path in (PACKAGE / "objectives").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert set(imported(source)) <= {"objectives", "types"}
        assert "transformers" not in source


def test_the_reader_of_imports_sees_them():
    source = (
        "import reasonwright.cli\ndef f():\n    from reasonwright import chat\n    from reasonwright.tasks.gym import x"
    )
    assert sorted(imported(source)) == ["chat", "cli", "tasks"]
