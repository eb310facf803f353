"""Sequences of tokens -> packed `Batch`es. The one place where targets are shifted and losses are normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from reasonwright.types import Batch, RolloutGroup

WIDTHS = 16
"""Without `join` a row's length is a multiple of this: few shapes, so that kernels made for a shape serve again."""


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """One prompt with its completion, as token ids."""

    prompt_ids: Sequence[int]
    completion_ids: Sequence[int]
    sampler_logprobs: Sequence[float] | None = None
    """[C] aligned with completion_ids."""
    train: bool = True
    """False: computed but not trained on (a truncated completion that is masked)."""

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.completion_ids)


def sequences_of(groups: Sequence[RolloutGroup], *, mask_truncated: bool = False) -> list[TokenSequence]:
    """The completions of all groups, in order."""
    return [
        TokenSequence(
            group.prompt_ids,
            rollout.completion.token_ids,
            sampler_logprobs=rollout.completion.logprobs,
            train=not (mask_truncated and rollout.completion.finish_reason == "length"),
        )
        for group in groups
        for rollout in group.rollouts
    ]


def token_weights(
    sequences: Sequence[TokenSequence],
    *,
    aggregate: str,
    num_completions: int | None = None,
    num_tokens: int | None = None,
    max_tokens: int | None = None,
    loss_on: str = "completion",
) -> list[float]:
    """Each sequence's weight per trained token, over the whole step.

    token: 1 / all trained tokens. completion: 1 / (N x own length). constant: 1 / (N x max_tokens), Dr. GRPO.
    `num_completions` N and `num_tokens` count completions that were left out because they could not contribute
    (zero-variance groups), so that leaving them out changes nothing; by default they count what is trained here.
    """
    lengths = [trained_tokens(s, loss_on) for s in sequences]
    N = num_completions if num_completions is not None else sum(n > 0 for n in lengths)
    if aggregate == "token":
        total = num_tokens if num_tokens is not None else sum(lengths)
        return [1 / max(1, total)] * len(lengths)
    if aggregate == "completion":
        return [1 / (N * n) if n else 0.0 for n in lengths]
    if aggregate == "constant":
        if max_tokens is None:
            raise ValueError("aggregate 'constant' needs max_tokens")
        return [1 / (N * max_tokens)] * len(lengths)
    raise ValueError(f"unknown aggregate {aggregate!r}")


def trained_tokens(sequence: TokenSequence, loss_on: str) -> int:
    """How many targets of the sequence are trained on; the first token of a text is never a target."""
    if not sequence.train:
        return 0
    return len(sequence) - 1 if loss_on == "all" else len(sequence.completion_ids) - (not sequence.prompt_ids)


def pack(
    sequences: Sequence[TokenSequence],
    weights: Sequence[float],
    *,
    micro_batch_tokens: int,
    loss_on: str = "completion",
    join: bool = True,
) -> list[Batch]:
    """Micro-batches that together hold every sequence once; their losses add up to the step's loss.

    Sequences are taken longest first and laid (first fit) into rows as long as the micro-batch's longest, as many rows
    as `micro_batch_tokens` positions allow (at least one). Without `join` each has a row to itself: more padding, but
    attention needs no mask, which is faster on a CPU where lengths are alike. A sequence is never cut. The largest
    micro-batch comes first: memory runs out at once or never.
    """
    waiting = sorted(range(len(sequences)), key=lambda i: (-len(sequences[i]), i))
    batches: list[Batch] = []
    while waiting:
        capacity = len(sequences[waiting[0]]) - 1  # inputs: all tokens but the last
        if not join:
            capacity = -(-capacity // WIDTHS) * WIDTHS
        most = max(1, micro_batch_tokens // max(1, capacity))
        rows: list[list[int]] = []
        room: list[int] = []
        later: list[int] = []
        for i in waiting:
            need = len(sequences[i]) - 1
            row = next((r for r, free in enumerate(room) if free >= need), None) if join else None
            if row is not None:
                rows[row].append(i)
                room[row] -= need
            elif len(rows) < most:
                rows.append([i])
                room.append(capacity - need)
            else:
                later.append(i)
        batches.append(_batch(rows, capacity, sequences, weights, loss_on))
        waiting = later
    return batches


def _batch(
    rows: list[list[int]], width: int, sequences: Sequence[TokenSequence], weights: Sequence[float], loss_on: str
) -> Batch:
    shape = (len(rows), width)
    ints = {
        name: torch.zeros(shape, dtype=torch.long)
        for name in ("input_ids", "position_ids", "segment_ids", "targets", "sequence_ids")
    }
    ints["sequence_ids"].fill_(-1)
    mask = torch.zeros(shape, dtype=torch.bool)
    weight, logprob = torch.zeros(shape), torch.zeros(shape)
    rl = sequences[rows[0][0]].sampler_logprobs is not None
    for b, row in enumerate(rows):
        at = 0
        for segment, i in enumerate(row, start=1):
            s = sequences[i]
            ids = torch.tensor([*s.prompt_ids, *s.completion_ids])
            span = slice(at, at + len(ids) - 1)
            first = 0 if loss_on == "all" else max(len(s.prompt_ids) - 1, 0)
            trained = slice(at + first, span.stop)
            ints["input_ids"][b, span] = ids[:-1]
            ints["position_ids"][b, span] = torch.arange(len(ids) - 1)
            ints["segment_ids"][b, span] = segment
            ints["sequence_ids"][b, span] = i
            if s.train:
                ints["targets"][b, trained] = ids[1 + first :]
                mask[b, trained] = True
                weight[b, trained] = weights[i]
            if s.sampler_logprobs is not None:
                logprob[b, trained] = torch.tensor(s.sampler_logprobs, dtype=torch.float32)
            at = span.stop
    return Batch(
        **ints,
        loss_mask=mask,
        weights=weight,
        sampler_logprobs=logprob if rl else None,
    )
