"""The notebook: its cells run from top to bottom, and what they teach is seen in what they compute.

The cells are run in order in one Python process, without Jupyter: they hold nothing but Python. What a front end would
show of a cell's last expression is not checked, but for the figure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from places import ROOT

NOTEBOOK = ROOT / "notebooks" / "reasoning_from_scratch.ipynb"
SEEN = """
import json
print()
print(json.dumps({
    "rewards": rewards, "lengths": [length for _, length in curve], "kept": len(kept), "stats": stats,
    "figure": Figure(line_chart([Series("reward", list(enumerate(rewards)))]))._repr_html_(),
    "sft": [row["strict"] for row in sft_answers], "grpo": [row["strict"] for row in grpo_answers],
    "behaviours": {name: figures["n"] for name, figures in behaviours.items()},
}))
"""


def cells(kind: str) -> list[dict[str, Any]]:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def run_cells(tmp_path: Path, short: bool) -> tuple[str, dict[str, Any]]:
    """What the cells print, and the variables they leave."""
    program = tmp_path / "cells.py"
    program.write_text("\n\n".join(["".join(cell["source"]) for cell in cells("code")] + [SEEN]), encoding="utf-8")
    environment = os.environ | {"NOTEBOOK_SHORT": str(int(short)), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    said, _, seen = done.stdout.rstrip("\n").rpartition("\n")
    return said, json.loads(seen)


def check_what_holds_always(said: str, seen: dict[str, Any]) -> None:
    assert "SFT loss: 1.378, 0.345 a token" in said
    assert "[1.0, -1.0, 1.0, -1.0]" in said
    assert "clipped to 1.2" in said
    assert "0.8, -0.5" in said
    assert seen["stats"]["kept"] == seen["kept"] > 0
    assert "<svg" in seen["figure"]
    assert set(seen["behaviours"]) == {"SFT", "GRPO", "student"}


def test_with_fewer_steps(tmp_path: Path):
    said, seen = run_cells(tmp_path, short=True)
    check_what_holds_always(said, seen)
    assert max(seen["rewards"][-2:]) > seen["rewards"][0]


@pytest.mark.slow
def test_in_full(tmp_path: Path):
    said, seen = run_cells(tmp_path, short=False)
    check_what_holds_always(said, seen)
    rewards, lengths = seen["rewards"], seen["lengths"]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:3]) / 3 + 0.2
    assert lengths[-1] > lengths[0]
    assert sum(seen["grpo"]) > sum(seen["sft"]) + 0.2 * len(seen["sft"])


def test_it_is_plain_python():
    for cell in cells("code"):
        source = "".join(cell["source"])
        compile(source, cell["id"], "exec")
        assert not source.lstrip().startswith(("%", "!"))


def test_saved_outputs_are_of_one_whole_execution():
    """Every cell, in order, without an error, and small enough to be read in a diff."""
    code = cells("code")
    if all(cell["execution_count"] is None for cell in code):
        pytest.skip(
            "no outputs are saved: run `jupyter nbconvert --to notebook --execute --inplace` on a quiet machine"
        )
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert "error" not in {output["output_type"] for output in outputs}
    assert len(json.dumps(outputs)) < 60_000
