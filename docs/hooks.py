"""What mkdocs adds to the pages: equations as MathML, and the code of the functions that they name.

Both stay readable where the Markdown itself is shown: ```math blocks and links are what hosts of repositories render.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

ROOT = Path(__file__).resolve().parent.parent
MATH = re.compile(r"^```math\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^Code: \[`(?P<name>\w+)`\]\((?:\.\./)+(?P<file>src/[\w/.]+)\)$", re.MULTILINE)
"""Code: [`sft_loss`](../../src/reasonwright/objectives/sft_loss.py)"""


def on_page_markdown(markdown: str, **_: Any) -> str:
    return CODE.sub(_code, MATH.sub(_equation, markdown))


def _equation(match: re.Match[str]) -> str:
    return f'<div class="equation">{convert(match[1].strip(), display="block")}</div>'


def _code(match: re.Match[str]) -> str:
    name, file = match["name"], match["file"]
    body = source_of(ROOT / file, name).replace("\n", "\n    ")
    return f'??? abstract "`{name}` in `{file.removeprefix("src/reasonwright/")}`"\n    ```python\n    {body}\n    ```'


def source_of(file: Path, name: str) -> str:
    """The lines of a function or class at the top of a module. Raises ValueError where there is none."""
    text = file.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return ast.get_source_segment(text, node) or ""
    raise ValueError(f"{file} has no function or class {name}")
