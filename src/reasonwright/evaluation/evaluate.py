"""One model, one task, one prompt mode: greedy answers, strict and lenient accuracy with intervals."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from reasonwright.chat import ChatFormat, Prompt, PromptMode
from reasonwright.evaluation.intervals import wilson
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import NativeSampler, Progress
from reasonwright.types import Completion, EvalResult, Problem, UserError, Verdict
from reasonwright.verify import grade

Shots = Sequence[tuple[str, str, str]]


def evaluate_model(
    model: Any,
    chat: ChatFormat,
    problems: Sequence[Problem],
    *,
    name: str,
    task: str,
    max_tokens: int,
    mode: PromptMode = "chat",
    shots: Shots = (),
    on_done: Progress | None = None,
) -> tuple[EvalResult, list[dict[str, Any]]]:
    """Greedy accuracy of a model, and a row for each problem (in the problems' order).

    `mode` and `shots` as in `ChatFormat.prompt`. Raises UserError where there is no problem.
    """
    if not problems:
        raise UserError(f"task {task} has no problems to evaluate on")
    began = time.perf_counter()
    prompts = [chat.prompt(problem.question, mode, shots) for problem in problems]
    params = SamplingParams(max_tokens=max_tokens, temperature=0, stop=prompts[0].stop)
    requests = [SampleRequest(p.ids, problem.id) for p, problem in zip(prompts, problems, strict=True)]
    sampled = NativeSampler(model, chat).sample(requests, params, on_done)
    rows = [
        _row(problem, prompt, completion)
        for problem, prompt, (completion,) in zip(problems, prompts, sampled, strict=True)
    ]
    return summarise(rows, name=name, task=task, mode=mode, seconds=time.perf_counter() - began), rows


def judge(problem: Problem, prompt: Prompt, completion: Completion) -> Verdict:
    """The verdict on a completion, with the answer words that the prompt already held put before it."""
    return grade(prompt.answer_prefix + completion.text, problem.answer, problem.answer_kind)


def _row(problem: Problem, prompt: Prompt, completion: Completion) -> dict[str, Any]:
    verdict = judge(problem, prompt, completion)
    return {
        "id": problem.id,
        "question": problem.question,
        "gold": problem.answer,
        "difficulty": problem.difficulty,
        "text": prompt.answer_prefix + completion.text,
        "strict": verdict.strict,
        "lenient": verdict.lenient,
        "extracted": verdict.extracted,
        "tokens": len(completion.token_ids),
        "finish_reason": completion.finish_reason,
    }


def summarise(rows: Sequence[dict[str, Any]], *, name: str, task: str, mode: str, seconds: float) -> EvalResult:
    """The figures of a list of rows."""
    n, strict, lenient = len(rows), sum(r["strict"] for r in rows), sum(r["lenient"] for r in rows)
    by: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["difficulty"] is not None:
            by[row["difficulty"]].append(row)
    return EvalResult(
        model=name,
        task=task,
        mode=mode,
        n=n,
        accuracy=strict / n,
        accuracy_lenient=lenient / n,
        ci95=wilson(strict, n),
        ci95_lenient=wilson(lenient, n),
        mean_tokens=fmean(r["tokens"] for r in rows),
        truncated=fmean(r["finish_reason"] == "length" for r in rows),
        seconds=seconds,
        by_difficulty={
            str(d): {
                "n": len(group),
                "accuracy": fmean(r["strict"] for r in group),
                "accuracy_lenient": fmean(r["lenient"] for r in group),
                "mean_tokens": fmean(r["tokens"] for r in group),
            }
            for d, group in sorted(by.items())
        },
    )
