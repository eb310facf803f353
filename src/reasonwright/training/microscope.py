"""One group of a step under the microscope: each token's log-probabilities before and after the step's update."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.attention import packs_flat
from reasonwright.training.metrics import rollout_rows
from reasonwright.training.policy import Policy
from reasonwright.training.settings import GRPOSettings
from reasonwright.types import Batch, RolloutGroup

DIGITS = 5
"""Of a log-probability in the file."""


def is_watched(step: int, settings: GRPOSettings) -> bool:
    """The first step, the last, and those after which there is an evaluation."""
    evaluated = bool(settings.eval_every) and (step + 1) % settings.eval_every == 0
    return step == 0 or evaluated or step + 1 == settings.steps


def watched_group(
    kept: Sequence[RolloutGroup], batches: Sequence[Batch], settings: GRPOSettings, chat: ChatFormat, step: int
) -> dict[str, Any] | None:
    """What is known before the update of the group that is watched: the step's first that carries signal; None for a
    step that is not watched or has none.

    Beside what rollouts.jsonl has of a group: the loss's ratio level and clip, and for every completion its tokens and
    their texts with their log-probabilities from the sampler and under the reference (null without one).
    """
    if not kept or not is_watched(step, settings):
        return None
    group = kept[0]
    row = rollout_rows([group], step)[0]
    row["prompt"] = chat.tokenizer.decode(group.prompt_ids)
    row["prompt_ids"] = list(group.prompt_ids)
    row |= {name: getattr(settings.loss, name) for name in ("ratio", "clip", "epsilon_low", "epsilon_high")}
    for i, (rollout, shown) in enumerate(zip(group.rollouts, row["completions"], strict=True)):
        shown["token_ids"] = list(rollout.completion.token_ids)
        shown["pieces"] = token_texts(chat, rollout.completion.token_ids)
        shown["sampler"] = [round(x, DIGITS) for x in rollout.completion.logprobs]
        shown["reference"] = _values(batches, "ref_logprobs", i)
    return row


def look_again(policy: Policy, watched: dict[str, Any] | None, settings: GRPOSettings) -> list[dict[str, Any]]:
    """The row of microscope.jsonl with the log-probabilities `after` the step's update, [] where none was watched.
    Costs one forward pass of the group."""
    if watched is None:
        return []
    own = [TokenSequence(watched["prompt_ids"], shown["token_ids"]) for shown in watched["completions"]]
    budget = settings.optim.micro_batch_tokens
    batches = pack(own, [0.0] * len(own), micro_batch_tokens=budget, flat=packs_flat(policy.model))
    for batch, logprobs in zip(batches, policy.logprobs(batches, settings.temperature), strict=True):
        batch.old_logprobs = logprobs.to(batch.input_ids.device)
    for i, shown in enumerate(watched["completions"]):
        shown["after"] = _values(batches, "old_logprobs", i)
    return [watched]


def token_texts(chat: ChatFormat, token_ids: Sequence[int]) -> list[str]:
    """What each token adds to the text: one alone may lack its space, or be a part of a character."""

    def text(start: int, end: int) -> str:
        return str(chat.tokenizer.decode(list(token_ids[start:end]))) if end > start else ""

    texts = []
    for i in range(len(token_ids)):
        start = max(0, i - 4)
        before, whole = text(start, i), text(start, i + 1)
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, whole, strict=False))
        texts.append(whole[len(list(same)) :])
    return texts


def _values(batches: Sequence[Batch], name: str, sequence: int) -> list[float] | None:
    """[C] of one sequence, from wherever it was packed; None where it was not trained on or there is no such thing."""
    for batch in batches:
        values: torch.Tensor | None = getattr(batch, name)
        mine = (batch.sequence_ids == sequence) & batch.loss_mask
        if values is not None and mine.any():
            return [round(x, DIGITS) for x in values[mine].tolist()]
    return None
