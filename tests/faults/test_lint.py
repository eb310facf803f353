"""No part of the package can execute what a model wrote: read off the source, file by file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import ROOT

PACKAGE = ROOT / "src" / "reasonwright"
FILES = sorted(PACKAGE.rglob("*.py"))
BUILT_IN = {"eval", "exec", "compile", "__import__"}
ANYWHERE = {"sympify", "parse_expr", "literal_eval", "system", "popen", "getoutput", "getstatusoutput"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "codeop", "runpy"}
HEAVY = {"sympy", "math_verify", "latex2sympy2_extended"}
EXEMPT = {
    "verify/sandbox_program.py": {"exec", "compile"},  # runs inside the sandbox only; nothing imports it
    "verify/latex_worker.py": {"math_verify"},  # a process of its own, killed from outside
}


def forbidden(source: str) -> Iterator[str]:
    """What a source calls or imports of the above; a shell; and loading a pickle through torch or numpy."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ({alias.name.split(".")[0] for alias in node.names} & (MODULES | HEAVY))
        elif isinstance(node, ast.ImportFrom):
            yield from {(node.module or "").split(".")[0]} & (MODULES | HEAVY)
            yield from {alias.name for alias in node.names} & ANYWHERE
        elif isinstance(node, ast.Name) and node.id in BUILT_IN | ANYWHERE:
            yield node.id
        elif isinstance(node, ast.Attribute) and node.attr in ANYWHERE:
            yield node.attr
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("torch.load", "numpy.load", "np.load"):
            yield ast.unparse(node)
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            yield "shell"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_executes_text(path: Path) -> None:
    allowed = EXEMPT.get(str(path.relative_to(PACKAGE)), set())
    assert set(forbidden(path.read_text(encoding="utf-8"))) <= allowed


def test_the_program_of_the_sandbox_is_never_imported() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "sandbox_program" not in ast.unparse(node), path


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "f = exec",
        "compile(text, '', 'exec')",
        "import pickle",
        "from pickle import load",
        "import sympy.parsing",
        "from math_verify import parse",
        "x.parse_expr(text)",
        "from a import sympify",
        "torch.load(path)",
        "os.system(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_lint_sees(source: str) -> None:
    assert set(forbidden(source))


def test_the_lint_lets_others_be() -> None:
    assert not set(forbidden("import re\nre.compile('x')\nmodel.eval()\njson.load(file)\nsafetensors.torch.load(b)"))
