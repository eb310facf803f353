"""Where problems come from: `load_task("gsm8k:data/gsm8k")` gives a `Task`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from reasonwright.tasks.base import Split, Task
from reasonwright.types import UserError

__all__ = ["TASKS", "Split", "Task", "TaskInfo", "is_endless", "load_task"]


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What `reasonwright tasks` prints of a task."""

    description: str
    argument: Literal["", "[:PATH]", ":PATH", ":NAME"] = ""
    """What may (in brackets) or must follow the task's name in a spec."""


TASKS: dict[str, TaskInfo] = {
    "word_problems": TaskInfo("generated grade-school word problems of 1 to 8 steps, solutions in short and full form"),
    "word_problems_clean": TaskInfo("the same problems, every solution written out in full"),
    "word_problems_long": TaskInfo("the same generator at 9 to 12 steps; evaluation out of distribution"),
    "gsm8k": TaskInfo(
        "grade-school problems with human solutions, from the hub or train.jsonl and test.jsonl", "[:PATH]"
    ),
    "code": TaskInfo("a few dozen Python functions to write, judged by tests in a sandbox (needs bubblewrap)"),
    "jsonl": TaskInfo("your own: question/answer, prompt/completion or messages, one JSON object a line", ":PATH"),
    "reasoning_gym": TaskInfo("a generator of the reasoning-gym library, such as reasoning_gym:chain_sum", ":NAME"),
    "math500": TaskInfo("500 competition problems with LaTeX answers; evaluation only", ":PATH"),
    "svamp": TaskInfo("1,000 short word problems with distracting sentences; evaluation only", ":PATH"),
    "gsm_hard": TaskInfo("GSM8K test with large numbers; evaluation only", ":PATH"),
}


def is_endless(spec: str) -> bool:
    """Whether a task is a generator, which needs to be told how many problems to make."""
    name = spec.partition(":")[0]
    return TASKS[name].argument in ("", ":NAME") and name != "code"  # whose problems are written by hand


def load_task(spec: str, *, skip_bad_rows: bool = False) -> Task:
    """The task of a spec `NAME` or `NAME:PATH`, checked as far as can be without reading rows.

    `skip_bad_rows` leaves bad rows of files out, with a logged count. Raises UserError for an unknown name, a missing
    or unwanted path, and a path where nothing is.
    """
    name, _, argument = spec.partition(":")
    info = TASKS.get(name)
    if info is None:
        near = difflib.get_close_matches(name, TASKS, n=1, cutoff=0)
        raise UserError(f"there is no task {name!r}; the nearest is {near[0]!r} (`reasonwright tasks` lists them all)")
    if argument and not info.argument:
        raise UserError(f"task {name} is generated and takes no path; write just {name!r}")
    if not argument and info.argument in (":PATH", ":NAME"):
        raise UserError(f"task {name} needs more: write {name}{info.argument}")
    return _make(name, argument, skip_bad_rows)


def _make(name: str, argument: str, skip_bad_rows: bool) -> Task:
    """Each task's module is imported when it is asked for, so that listing them stays quick."""
    if name.startswith("word_problems"):
        from reasonwright.tasks.word_problems import LongWordProblems, WordProblems

        if name == "word_problems_long":
            return LongWordProblems()
        return WordProblems(sft_style="full") if name == "word_problems_clean" else WordProblems()
    if name == "gsm8k":
        from reasonwright.tasks.gsm8k import GSM8K

        return GSM8K(argument or None, skip_bad_rows=skip_bad_rows)
    if name == "code":
        from reasonwright.tasks.code import Code

        return Code()
    if name == "jsonl":
        from reasonwright.tasks.jsonl import Jsonl

        return Jsonl(argument, skip_bad_rows=skip_bad_rows)
    if name == "reasoning_gym":
        from reasonwright.tasks.gym import ReasoningGym

        return ReasoningGym(argument)
    from reasonwright.tasks.benchmarks import Benchmark

    return Benchmark(name, argument, skip_bad_rows=skip_bad_rows)
