"""`reasonwright tasks`."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from reasonwright.tasks import TASKS, load_task
from reasonwright.types import UserError

SAMPLES = {"reasoning_gym": "reasoning_gym:chain_sum"}
"""The spec whose first problem is shown, where it is more than the name."""

NOTES = {
    "word_problems_clean": "the questions of word_problems",
    "gsm8k": 'rows: {"question": "…", "answer": "worked solution\\n#### 12"}',
    "jsonl": 'rows: {"question": "…", "answer": "12", "solution": "optional"}, {"prompt": "…", "completion": "…"} or '
    '{"messages": […]}; programs: "function": "add", "tests": [{"args": [2, 3], "returns": 5}] for the answer',
    "math500": 'rows: {"problem": "…", "answer": "LaTeX", "level": 1}',
    "svamp": 'SVAMP.json, a list of {"Body": "…", "Question": "…", "Answer": 51.0}',
    "gsm_hard": 'rows: {"input": "…", "target": 51.0}',
}
"""In place of a sample: what the files of a task hold."""


def show_tasks(console: Console | None = None) -> None:
    """Each task's spec and description, with a sample problem or what its file holds."""
    console = console or Console(highlight=False)
    for name, info in TASKS.items():
        console.print(f"[bold]{name}[/]{escape(info.argument)}  {escape(info.description)}")
        console.print(Padding(_sample(name), (0, 0, 1, 4)))


def _sample(name: str) -> Text:
    if name in NOTES:
        return Text(NOTES[name], "dim")
    try:
        problem = load_task(SAMPLES.get(name, name)).problems("eval", 1)[0]
    except UserError as missing:  # a task that needs more than is there
        return Text(str(missing), "dim")
    text = Text(problem.question.strip())
    if worked := problem.solution or problem.completion:
        text.append("\n" + worked.strip(), "dim")
    return text.append(f"\nanswer: {problem.answer}", "green")
