"""How many answers a second the verifier checks, by kind, on one core.

    python benchmarks/verifier.py

Numbers and texts are checked in this process and counted in its CPU seconds, which other programs on the machine do
not change much; LaTeX and programs go to other processes and are counted in wall seconds. The best of the repeats.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

from reasonwright.chat import render_completion, render_program
from reasonwright.tasks import load_task
from reasonwright.types import UserError
from reasonwright.verify import grade
from reasonwright.verify.code import CodeGold

ADD = CodeGold("add", [{"args": [2, 3], "returns": 5}, {"args": [0, 0], "returns": 0}]).to_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench-verifier.json"))
    args = parser.parse_args()

    problems = load_task("word_problems_clean").problems("rl", 2000)
    right = [(render_completion(p.solution or "", p.answer), p.answer, "number") for p in problems]
    wrong = [(render_completion(p.solution or "", p.answer + "1"), p.answer, "number") for p in problems]
    bare = [(f"{p.solution}\nSo it is {p.answer} in all.", p.answer, "number") for p in problems]
    texts = [(render_completion(p.solution or "", "a knight"), "a knight", "text") for p in problems]
    latex = [(render_completion("x", f"$x^{{{i}}} + {i}$"), f"{i} + x^{{{i}}}", "latex") for i in range(200)]
    code = [(render_program("Add.", "def add(a, b):\n    return a + b"), ADD, "code")] * 10
    rates = {}
    for name, items, clock in (
        ("number, right in the form", right, time.process_time),
        ("number, wrong", wrong, time.process_time),
        ("number, right without the form", bare, time.process_time),
        ("text", texts, time.process_time),
        ("latex, one worker", latex, time.perf_counter),
        ("program, one sandbox each", code, time.perf_counter),
    ):
        try:
            rates[name] = rate(items, clock, args.repeats)
        except UserError as missing:
            print(f"{name}: not measured: {missing}")
            continue
        print(f"{name}: {rates[name]:,.0f} a second")
    figures = {"answers_per_second": rates, "python": platform.python_version(), "machine": platform.platform()}
    args.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def rate(items: list[tuple[str, str, str]], clock: Callable[[], float], repeats: int) -> float:
    """Answers a second, the best of `repeats`; the first goes to starting workers."""
    best = 0.0
    for _ in range(repeats + 1):
        began = clock()
        for completion, gold, kind in items:
            grade(completion, gold, kind)  # type: ignore[arg-type]
        best = max(best, len(items) / (clock() - began))
    return best


if __name__ == "__main__":
    main()
