"""Sequences of tokens -> packed `Batch`es. The one place where targets are shifted and losses are normalised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch

from reasonwright.types import Batch, RolloutGroup, Segment

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
    flat: bool = False,
    join: bool = True,
) -> list[Batch]:
    """Micro-batches that together hold every sequence once; their losses add up to the step's loss.

    flat: one row a micro-batch, segment behind segment without padding, and the prompt of several sequences computed
    once; for models that `segment_attention` serves (`models/attention.py`). Else rows as long as the micro-batch's
    longest sequence, several sequences in a row, for any model that takes a mask; without `join` each has a row to
    itself, and no mask is needed. A sequence is never cut, and the largest micro-batch comes first: memory runs out at
    once or never.
    """
    if flat:
        filled = _fill(sequences, micro_batch_tokens, loss_on)
        return [_flat_batch(items, sequences, weights, loss_on) for items in filled]
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
        batch = _empty(len(rows), capacity, sequences)
        for b, indices in enumerate(rows):
            at = 0
            for segment, i in enumerate(indices, start=1):
                at = _place(batch, b, at, segment, i, sequences[i], weights[i], loss_on)
        batches.append(batch)
        waiting = later
    return batches


class _Item(NamedTuple):
    """Sequences that share a prefix: all of their prompt but its last token, which predicts each one's own first."""

    prefix: Sequence[int]
    indices: list[int]
    size: int
    """Positions, the prefix's included."""


def _fill(sequences: Sequence[TokenSequence], budget: int, loss_on: str) -> list[list[_Item]]:
    """Items, longest first, each into the first micro-batch with room for it."""
    by_prompt: dict[Any, list[int]] = defaultdict(list)
    for i, s in enumerate(sequences):
        shares = loss_on == "completion" and len(s.prompt_ids) > 1
        by_prompt[tuple(s.prompt_ids) if shares else i].append(i)
    items = [item for indices in by_prompt.values() for item in _items(indices, sequences, budget)]
    items.sort(key=lambda item: (-item.size, item.indices[0]))
    filled: list[list[_Item]] = []
    room: list[int] = []
    for item in items:
        at = next((b for b, free in enumerate(room) if free >= item.size), None)
        if at is None:
            at = len(room)
            room.append(max(budget, item.size))
            filled.append([])
        filled[at].append(item)
        room[at] -= item.size
    return sorted(filled, key=lambda items: -sum(item.size for item in items))


def _items(indices: list[int], sequences: Sequence[TokenSequence], budget: int) -> list[_Item]:
    """One item, or several with a copy of the prefix each where the group is larger than a micro-batch."""
    if len(indices) == 1:
        return [_Item((), indices, len(sequences[indices[0]]) - 1)]
    prefix = sequences[indices[0]].prompt_ids[:-1]
    items: list[_Item] = []
    for i in sorted(indices, key=lambda i: (-len(sequences[i]), i)):
        need = len(sequences[i].completion_ids)  # the prompt's last token and all of the completion but the last
        if items and items[-1].size + need <= budget:
            items[-1] = items[-1]._replace(indices=[*items[-1].indices, i], size=items[-1].size + need)
        else:
            items.append(_Item(prefix, [i], len(prefix) + need))
    return items


def _flat_batch(
    items: Sequence[_Item], sequences: Sequence[TokenSequence], weights: Sequence[float], loss_on: str
) -> Batch:
    batch = _empty(1, sum(item.size for item in items), sequences)
    segments: list[Segment] = []
    at = 0
    for item in items:
        start, length = at, len(item.prefix)
        if length:
            segments.append(Segment(start, length))
            span = slice(start, start + length)
            batch.input_ids[0, span] = torch.tensor(item.prefix)
            batch.position_ids[0, span] = torch.arange(length)
            batch.segment_ids[0, span] = len(segments)
            at += length
        for i in item.indices:
            end = _place(batch, 0, at, len(segments) + 1, i, sequences[i], weights[i], loss_on, skip=length)
            segments.append(Segment(at, end - at, start if length else 0, length))
            at = end
    batch.segments = segments
    return batch


def _empty(rows: int, width: int, sequences: Sequence[TokenSequence]) -> Batch:
    def ints() -> torch.Tensor:
        return torch.zeros(rows, width, dtype=torch.long)

    return Batch(
        input_ids=ints(),
        position_ids=ints(),
        segment_ids=ints(),
        targets=ints(),
        loss_mask=torch.zeros(rows, width, dtype=torch.bool),
        sequence_ids=ints().fill_(-1),
        weights=torch.zeros(rows, width),
        sampler_logprobs=torch.zeros(rows, width) if sequences[0].sampler_logprobs is not None else None,
    )


def _place(
    batch: Batch,
    b: int,
    at: int,
    segment: int,
    i: int,
    s: TokenSequence,
    weight: float,
    loss_on: str,
    skip: int = 0,
) -> int:
    """Lay sequence `i` without its first `skip` tokens into row `b` from position `at`; where it ends."""
    ids = torch.tensor([*s.prompt_ids, *s.completion_ids][skip:])
    span = slice(at, at + len(ids) - 1)
    first = 0 if loss_on == "all" else max(len(s.prompt_ids) - 1, 0) - skip
    trained = slice(at + first, span.stop)
    batch.input_ids[b, span] = ids[:-1]
    batch.position_ids[b, span] = torch.arange(skip, skip + len(ids) - 1)
    batch.segment_ids[b, span] = segment
    batch.sequence_ids[b, span] = i
    if s.train:
        batch.targets[b, trained] = ids[1 + first :]
        batch.loss_mask[b, trained] = True
        batch.weights[b, trained] = weight
    if s.sampler_logprobs is not None:
        assert batch.sampler_logprobs is not None
        batch.sampler_logprobs[b, trained] = torch.tensor(s.sampler_logprobs, dtype=torch.float32)
    return span.stop
