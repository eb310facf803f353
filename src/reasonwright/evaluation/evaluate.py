"""One model, one task, one way of asking: answers judged strictly and leniently, accuracy with intervals."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from reasonwright.chat import ChatFormat, Prompt, PromptMode, parse_completion
from reasonwright.evaluation.intervals import wilson
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.types import Completion, EvalResult, Problem, UserError, Verdict
from reasonwright.verify import grade

Row = dict[str, Any]
Shots = Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Asking:
    """How problems are put to a model: with the model and the problems it decides the answers."""

    max_tokens: int
    mode: PromptMode = "chat"
    shots: Shots = ()
    """Worked examples, as in `ChatFormat.prompt`."""
    samples: int = 1
    """Answers a problem."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    seed: int = 0
    """Of the samples."""


def answer(
    model: Any,
    chat: ChatFormat,
    problems: Sequence[Problem],
    asking: Asking,
    on_done: Callable[[int], None] | None = None,
) -> list[Row]:
    """`asking.samples` rows a problem, in the problems' order. `on_done(k)` hears of every k finished answers."""
    from reasonwright.sampling.native import NativeSampler

    prompts = [chat.prompt(problem.question, asking.mode, asking.shots) for problem in problems]
    params = SamplingParams(
        asking.samples, asking.max_tokens, asking.temperature, asking.top_p, seed=asking.seed, stop=prompts[0].stop
    )
    requests = [SampleRequest(p.ids, problem.id) for p, problem in zip(prompts, problems, strict=True)]
    sampled = NativeSampler(model, chat).sample(requests, params, on_done)
    return [
        _row(problem, prompt, completion, chat)
        for problem, prompt, completions in zip(problems, prompts, sampled, strict=True)
        for completion in completions
    ]


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
    on_done: Callable[[int], None] | None = None,
) -> tuple[EvalResult, list[Row]]:
    """Greedy accuracy of a model, and a row for each problem (in the problems' order).

    `mode` and `shots` as in `ChatFormat.prompt`. Raises UserError where there is no problem.
    """
    if not problems:
        raise UserError(f"task {task} has no problems to evaluate on")
    began = time.perf_counter()
    rows = answer(model, chat, problems, Asking(max_tokens, mode, shots), on_done)
    return summarise(rows, name=name, task=task, mode=mode, seconds=time.perf_counter() - began), rows


def judge(problem: Problem, prompt: Prompt, completion: Completion) -> Verdict:
    """The verdict on a completion, with the answer words that the prompt already held put before it."""
    return grade(prompt.answer_prefix + completion.text, problem.answer, problem.answer_kind)


def _row(problem: Problem, prompt: Prompt, completion: Completion, chat: ChatFormat) -> Row:
    verdict = judge(problem, prompt, completion)
    thought = parse_completion(completion.text).thought
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
        "thought_tokens": None if thought is None else len(chat.tokenizer(thought, add_special_tokens=False).input_ids),
        "finish_reason": completion.finish_reason,
    }


def summarise(rows: Sequence[Row], *, name: str, task: str, mode: str, seconds: float) -> EvalResult:
    """The figures of a list of rows, one a problem."""
    n, strict, lenient = len(rows), sum(r["strict"] for r in rows), sum(r["lenient"] for r in rows)
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
        by_difficulty=_grouped(rows, lambda row: row["difficulty"], str),
        by_length=_grouped(rows, lambda row: length_bin(row["thought_tokens"]), lambda b: f"{b[0]}-{b[1]}"),
    )


def length_bin(tokens: int | None) -> tuple[int, int] | None:
    """The bin of a thought's length, both ends included: 0 to 16 tokens, and each further one twice as long. The same
    for every model, so that models can be compared bin by bin; None where there is no thought.

    >>> length_bin(33)
    (33, 64)
    """
    if tokens is None:
        return None
    high = max(16, 1 << (tokens - 1).bit_length()) if tokens else 16
    return (0 if high == 16 else high // 2 + 1), high


def _grouped(rows: Sequence[Row], key: Callable[[Row], Any], label: Callable[[Any], str]) -> dict[str, dict[str, Any]]:
    """Figures of the rows of each key, in the keys' order; rows without a key are left out."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        if key(row) is not None:
            groups[key(row)].append(row)
    return {
        label(k): {
            "n": len(group),
            "accuracy": fmean(r["strict"] for r in group),
            "accuracy_lenient": fmean(r["lenient"] for r in group),
            "ci95": wilson(sum(r["strict"] for r in group), len(group)),
            "ci95_lenient": wilson(sum(r["lenient"] for r in group), len(group)),
            "mean_tokens": fmean(r["tokens"] for r in group),
        }
        for k, group in sorted(groups.items())
    }
