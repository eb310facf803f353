"""The real command, and a run of the smoke recipe that is over in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from places import ROOT
from toy import write_task

SMOKE = ROOT / "recipes" / "smoke.yaml"
SETTINGS = {
    "model": "embedded:tiny", "sft.rows": "null", "sft.epochs": "140", "sft.batch_size": "8", "sft.eval_every": "0",
    "sft.optim.lr": "1e-2",
    "grpo.problems": "null", "grpo.steps": "4", "grpo.problems_per_step": "4", "grpo.max_tokens": "40",
    "grpo.temperature": "1.6",  # so that not every sum comes out right, which would leave GRPO nothing to learn
    "grpo.eval_every": "2", "grpo.eval_problems": "2", "grpo.checkpoint_every": "1",
    "rejection.problems": "6", "rejection.solutions_per_problem": "4", "rejection.max_tokens": "40",
    "distill.epochs": "2", "evaluate.problems": "6", "evaluate.max_tokens": "24", "evaluate.base_shots": "1",
}  # fmt: skip
"""Eight sums are learned by heart, so that there is something to keep: the smoke recipe for the impatient."""


def arguments(tmp: Path, out: Path, **changes: str) -> list[str]:
    """`reasonwright COMMAND …` after the command; the task's folder is written to `tmp`."""
    values = {"task": f"jsonl:{write_task(tmp / 'sums')}"} | SETTINGS | changes
    return [str(SMOKE), "--out", str(out), *(part for key, value in values.items() for part in (f"--{key}", value))]


def command(*argv: object) -> list[str]:
    return [sys.executable, "-m", "reasonwright", *map(str, argv)]


def call(*argv: object, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """The command in a process of its own."""
    return subprocess.run(
        command(*argv), capture_output=True, text=True, cwd=cwd, env=os.environ | environment, timeout=240
    )
