"""The stages of a recipe as work: which model, how many tokens of which lengths, how many steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from reasonwright.chat import ChatFormat, render_completion
from reasonwright.models.load import load_tokenizer
from reasonwright.models.settings import Compute, LoraSettings
from reasonwright.recipe import Recipe
from reasonwright.tasks import is_endless, load_task
from reasonwright.tasks.base import Split, Task
from reasonwright.training.settings import OptimSettings, SFTSettings

LOOKED_AT = 32
"""Problems whose lengths stand for all."""


@dataclass(frozen=True, slots=True)
class Work:
    """Lengths in tokens; completions that are sampled count as long as they may get."""

    stage: str
    model: str
    prompt: int
    """The longest prompt."""
    completion: int
    """The longest completion."""
    sequences: int
    """Completions of a training step (of a chunk of rejection sampling, where nothing is trained)."""
    steps: int
    group: int = 1
    """Completions of a prompt."""
    positions: int = 0
    """That a training step computes."""
    optim: OptimSettings | None = None
    """None: only sampling."""
    lora: LoraSettings | None = None
    samples: bool = True
    reference: bool = False
    updates: int = 1
    """Optimiser steps a step."""
    compute: Compute = "float32"
    trust: bool = False
    """Whether Python code from the model's folder is run."""

    @property
    def longest(self) -> int:
        return self.prompt + self.completion

    @property
    def micro_batch(self) -> int:
        """Positions of the largest micro-batch; a sequence is never cut."""
        assert self.optim is not None
        return min(self.positions, max(self.optim.micro_batch_tokens, self.longest))


def works_of(recipe: Recipe) -> list[Work]:
    """The stages that train or sample, in order. Raises UserError where task or tokenizer cannot be loaded."""
    task, chat = load_task(recipe.task, skip_bad_rows=recipe.skip_bad_rows), _chat(recipe.model, recipe)
    grpo, rejection = recipe.grpo, recipe.rejection
    prompts = [len(chat.prompt(p.question).ids) for p in _few(task, recipe, "rl", grpo.problems)]
    prompt, sequences = max(prompts), grpo.problems_per_step * grpo.group_size
    solved = rejection.problems or _count(task, recipe, "rl")
    chunks = math.ceil(solved / rejection.problems_per_chunk)
    rl = Work(
        "grpo", recipe.model, prompt, grpo.max_tokens, sequences, grpo.steps, grpo.group_size,
        positions=int(grpo.problems_per_step * fmean(prompts)) + sequences * grpo.max_tokens,
        optim=grpo.optim, lora=grpo.lora, reference=grpo.kl.place != "none", updates=grpo.updates_per_rollout,
    )  # fmt: skip
    sampled = Work(
        "rejection", recipe.model, prompt, rejection.max_tokens,
        min(solved, rejection.problems_per_chunk) * rejection.solutions_per_problem, chunks,
        rejection.solutions_per_problem,
    )  # fmt: skip
    kept = min(recipe.distill.rows or 10**9, solved * rejection.cap_per_problem)
    student = _sft("student", recipe, recipe.student, recipe.distill, task, _chat(recipe.student, recipe), kept)
    works = [_sft("sft", recipe, recipe.model, recipe.sft, task, chat, None), rl, sampled, student]
    return [replace(work, compute=recipe.compute, trust=recipe.trust_remote_code) for work in works]


def _sft(
    stage: str, recipe: Recipe, model: str, settings: SFTSettings, task: Task, chat: ChatFormat, kept: int | None
) -> Work:
    """`kept`: solutions of rejection sampling at most, where they are the rows."""
    rows = [
        (len(chat.prompt(p.question).ids), len(chat.completion_ids(p.completion or _text(p.solution, p.answer))))
        for p in _few(task, recipe, "sft", recipe.sft.rows)
    ]
    rows = [row for row in rows if sum(row) <= settings.max_length] or [(1, settings.max_length - 1)]
    prompt, completion = (max(column) for column in zip(*rows, strict=True))
    number = kept or recipe.sft.rows or _count(task, recipe, "sft")
    return Work(
        stage, model, prompt, completion, settings.batch_size,
        steps=settings.epochs * math.ceil(number / settings.batch_size),
        positions=int(settings.batch_size * fmean(map(sum, rows))), optim=settings.optim, lora=settings.lora,
        samples=False,
    )  # fmt: skip


def _text(solution: str | None, answer: str) -> str:
    return render_completion(solution or "", answer)


def _chat(model: str, recipe: Recipe) -> ChatFormat:
    return ChatFormat(load_tokenizer(model, trust_remote_code=recipe.trust_remote_code))


def _few(task: Task, recipe: Recipe, split: Split, count: int | None) -> Sequence:
    wanted = min(count or LOOKED_AT, LOOKED_AT) if is_endless(recipe.task) else count
    return task.problems(split, wanted, recipe.seed)[:LOOKED_AT]


def _count(task: Task, recipe: Recipe, split: Split) -> int:
    return len(task.problems(split, None, recipe.seed))
