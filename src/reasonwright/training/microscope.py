"""One group of a step under the microscope: each token's log-probabilities before and after the step's update."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import torch

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import pack, sequences_of
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


def observe(
    policy: Policy,
    kept: Sequence[RolloutGroup],
    batches: Sequence[Batch],
    settings: GRPOSettings,
    chat: ChatFormat,
    step: int,
) -> list[dict[str, Any]]:
    """The row of microscope.jsonl for a step whose update is done: its first group that carried signal; [] for a step
    that is not watched or had none.

    Beside what rollouts.jsonl has of a group: the loss's ratio level and clip, and for every completion the texts of
    its tokens with their log-probabilities from the sampler, under the reference (null without one) and `after` the
    update. Costs one forward pass of this group.
    """
    if not kept or not is_watched(step, settings):
        return []
    group = kept[0]
    own = sequences_of([group])
    again = pack(
        own, [0.0] * len(own), micro_batch_tokens=settings.optim.micro_batch_tokens, flat=packs_flat(policy.model)
    )
    for batch, logprobs in zip(again, policy.logprobs(again, settings.temperature), strict=True):
        batch.old_logprobs = logprobs.to(batch.input_ids.device)
    row = rollout_rows([group], step)[0]
    row["prompt"] = chat.tokenizer.decode(group.prompt_ids)
    row |= {name: getattr(settings.loss, name) for name in ("ratio", "clip", "epsilon_low", "epsilon_high")}
    for i, (rollout, shown) in enumerate(zip(group.rollouts, row["completions"], strict=True)):
        shown["pieces"] = token_texts(chat, rollout.completion.token_ids)
        shown["sampler"] = [round(x, DIGITS) for x in rollout.completion.logprobs]
        shown["reference"] = _values(batches, "ref_logprobs", i)
        shown["after"] = _values(again, "old_logprobs", i)
    return [row]


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
