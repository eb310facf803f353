"""Stage 1: supervised fine-tuning on chains of thought. Teaches the format.

What it does not do: no dropout, no data mixing, no early stopping. Distillation (stage 3) is this file on other rows.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from reasonwright.chat import ChatFormat, render_completion
from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.display import Bar
from reasonwright.models.attention import packs_flat
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.runlog import append_jsonl, keep_steps_before, last_metrics
from reasonwright.training.checkpoint import Checkpoints
from reasonwright.training.policy import Policy
from reasonwright.training.settings import SFTSettings
from reasonwright.types import Batch, Problem, UserError

logger = logging.getLogger("reasonwright")


def train_sft(
    model,
    chat: ChatFormat,
    problems: Sequence[Problem],
    settings: SFTSettings,
    *,
    seed: int,
    folder: Path,
    held_out: Sequence[Problem] = (),
    stop: Callable[[], bool] = lambda: False,
    title: str = "sft",
) -> dict[str, float]:
    """Fine-tune `model` in place on the problems' solutions, logging to `folder`; the last step's metrics.

    Goes on from the newest checkpoint in `folder/checkpoints`. Raises UserError where a row has no solution or none is
    short enough, Stopped where `stop()` said to stop and the step's checkpoint is committed.
    """
    rows = encode_rows(problems, chat, settings.max_length)
    per_epoch = math.ceil(len(rows) / settings.batch_size)
    total = settings.epochs * per_epoch
    policy = Policy(model, settings.optim, total)
    checkpoints = Checkpoints(folder / "checkpoints", policy, chat, settings, total, stop)
    start = checkpoints.load().step
    keep_steps_before(folder / "metrics.jsonl", start)
    flat = packs_flat(model)
    test = [_batches(encode_rows(held_out, chat, settings.max_length), settings, flat)] if held_out else []
    metrics: dict[str, float] = last_metrics(folder / "metrics.jsonl")
    with Bar(title, total, start) as bar:
        for step in range(start, total):
            began = time.perf_counter()
            batches = _batches(rows_of_step(rows, step, settings.batch_size, seed), settings, flat)
            metrics = policy.update(batches, sft_loss)
            metrics["seconds"] = time.perf_counter() - began
            if test and settings.eval_every and (step + 1) % settings.eval_every == 0:
                metrics["eval_loss"] = held_out_loss(policy, test[0])
            append_jsonl(folder / "metrics.jsonl", [{"step": step} | metrics])
            checkpoints.after_step(step + 1, -metrics["eval_loss"] if "eval_loss" in metrics else None)
            bar.advance(loss=metrics["loss"])
    return metrics


def encode_rows(problems: Sequence[Problem], chat: ChatFormat, max_length: int) -> list[TokenSequence]:
    """Each problem as the tokens that sampling would start from and should continue with."""
    rows = []
    for problem in problems:
        if problem.completion is None and problem.solution is None:
            raise UserError(
                f"problem {problem.id} has neither a solution nor a completion to learn from: "
                "add a `solution` to its row"
            )
        text = problem.completion or render_completion(problem.solution or "", problem.answer)
        row = TokenSequence(chat.prompt(problem.question).ids, chat.completion_ids(text))
        if len(row) <= max_length:
            rows.append(row)
    if len(rows) < len(problems):
        logger.warning(
            "%d of %d rows are longer than %d tokens and left out", len(problems) - len(rows), len(problems), max_length
        )
    if not rows:
        raise UserError(f"none of the {len(problems)} training rows fits in max_length = {max_length} tokens")
    return rows


def rows_of_step(rows: Sequence[TokenSequence], step: int, batch_size: int, seed: int) -> list[TokenSequence]:
    """The rows of a step: each epoch is its own permutation, a function of (seed, epoch)."""
    epoch, within = divmod(step, math.ceil(len(rows) / batch_size))
    order = list(range(len(rows)))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [rows[i] for i in order[within * batch_size : (within + 1) * batch_size]]


def held_out_loss(policy: Policy, batches: list[Batch]) -> float:
    """Mean loss per token on rows that are not trained on."""
    pairs = zip(policy.logprobs(batches), batches, strict=True)
    return -sum(float((logprobs.cpu() * batch.weights).sum()) for logprobs, batch in pairs)


def _batches(rows: Sequence[TokenSequence], settings: SFTSettings, flat: bool) -> list[Batch]:
    weights = token_weights(rows, aggregate="token", loss_on=settings.loss_on)
    budget = settings.optim.micro_batch_tokens
    return pack(rows, weights, micro_batch_tokens=budget, loss_on=settings.loss_on, flat=flat)
