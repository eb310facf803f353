"""Attention of packed rows, segment by segment: no mask as large as the row, and a group's prompt computed once.

transformers calls `segment_attention` in the place of its own function in every layer of a model that was
`prepare`d; without `segments` it is transformers' scaled-dot-product attention. Axes: N positions of the row, R
segments of a block, C positions of its longest, S of its longest prefix, H query heads, K key-value heads, D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from reasonwright.models.precision import attention_dtype
from reasonwright.types import Segment

NAME = "reasonwright_segments"
ALIKE = 0.7
"""A block's shortest segment has at least this share of its longest one's length: less is too much padding."""

FAMILIES = frozenset({"llama", "qwen2", "qwen3", "mistral"})
"""Architectures that are exactly embedding, decoder layers, norm and head, with nothing done to scores or logits."""


def is_plain(config: Any) -> bool:
    """Whether our attention and decoder compute what the architecture does; others go through transformers alone."""
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    return config.model_type in FAMILIES and window is None


def prepare(model: Any) -> Any:
    """The same model, with our attention where it is of a family that we know."""
    if is_plain(model.config):
        model.set_attn_implementation(NAME)
    return model


def packs_flat(model: Any) -> bool:
    """Whether a model takes flat batches."""
    return model.config._attn_implementation == NAME


@dataclass(frozen=True, slots=True)
class Block:
    """Segments of similar length, padded to one shape."""

    shape: tuple[int, int]
    """(R, C)"""
    prefix: torch.Tensor | None
    """[P, S] positions of the block's distinct prefixes, padded."""
    owner: torch.Tensor | None
    """[R] which of them each segment continues."""
    mask: torch.Tensor | None
    """[R, 1, C, S + C] bool; None: plain causal."""


@dataclass(frozen=True, slots=True)
class Segments:
    """A row's blocks, with the way from row to blocks and back."""

    blocks: tuple[Block, ...]
    spread: torch.Tensor
    """[M] for each place in all blocks, one behind another, the position of the row that it holds; padding: any."""
    gather: torch.Tensor
    """[N] for each position of the row, its place."""
    filled: torch.Tensor
    """[M, 1] 1 where a place is not padding."""


def segments_of(segments: Sequence[Segment], device: torch.device | str = "cpu") -> Segments:
    """The layout of a row that the segments fill without a gap."""
    order = sorted(segments, key=lambda s: (s.prefix_length > 0, -s.length))
    blocks: list[Block] = []
    spread: list[torch.Tensor] = []
    filled: list[torch.Tensor] = []
    gather = torch.zeros(sum(s.length for s in segments), dtype=torch.long)
    place = 0
    for together in _alike(order):
        C = together[0].length
        within = torch.arange(C)
        starts, lengths = (torch.tensor([s[i] for s in together]).unsqueeze(1) for i in (0, 1))
        real = within < lengths
        spread.append((starts + within.clamp(max=lengths - 1)).flatten())
        filled.append(real.flatten())
        gather[spread[-1][filled[-1]]] = place + torch.arange(len(together) * C)[filled[-1]]
        place += len(together) * C
        blocks.append(_block(together, C, device))
    return Segments(
        tuple(blocks),
        torch.cat(spread).to(device),
        gather.to(device),
        torch.cat(filled).unsqueeze(1).to(device, torch.float32),
    )


def _alike(order: Sequence[Segment]) -> list[list[Segment]]:
    groups: list[list[Segment]] = []
    for segment in order:
        first = groups[-1][0] if groups else None
        if (
            first
            and (first.prefix_length > 0) == (segment.prefix_length > 0)
            and segment.length >= ALIKE * first.length
        ):
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return groups


def _block(together: Sequence[Segment], C: int, device: torch.device | str) -> Block:
    R = len(together)
    prefixes = list(dict.fromkeys((s.prefix_start, s.prefix_length) for s in together))
    S = max(length for _, length in prefixes)
    if S == 0:
        return Block((R, C), None, None, None)
    at, lengths = (torch.tensor(column).unsqueeze(1) for column in zip(*prefixes, strict=True))
    slots = torch.arange(S)
    index = {prefix: p for p, prefix in enumerate(prefixes)}
    owner = torch.tensor([index[s.prefix_start, s.prefix_length] for s in together])
    causal = torch.ones(C, C, dtype=torch.bool).tril()
    seen = (slots < lengths)[owner]  # [R, S]
    mask = torch.cat((seen[:, None].expand(R, C, S), causal.expand(R, C, C)), dim=-1).unsqueeze(1)
    positions = at + slots.clamp(max=lengths - 1)
    return Block((R, C), positions.to(device), owner.to(device), mask.to(device))


class _Take(torch.autograd.Function):
    """Rows of [n, F] by index, where the gradient is again rows by index: `back` is the way back, `kept` [n, 1] is 0
    for the rows that nobody took. index_select's own gradient, a scattered sum, is many times as slow on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, index: torch.Tensor, back: torch.Tensor, kept: torch.Tensor | None):
        ctx.save_for_backward(back, kept)
        return F.embedding(index, x)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor):
        back, kept = ctx.saved_tensors
        grad = F.embedding(back, grad)
        return (grad if kept is None else grad * kept.to(grad.dtype)), None, None, None


def segment_attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    segments: Segments | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one packed row: query [1, H, N, D], key and value [1, K, N, D] -> ([1, N, H, D], None)."""
    if segments is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **kwargs
        )
    H, K, D = query.shape[1], key.shape[1], query.shape[3]
    given, dtype = value.dtype, attention_dtype(value.dtype, value.device.type)
    query, key, value = (x.to(dtype) for x in (query, key, value))  # of which autocast gives two in float32
    rows = [x.squeeze(0).transpose(0, 1).flatten(1) for x in (query, key, value)]  # [N, heads * D]
    q, k, v = (_Take.apply(x, segments.spread, segments.gather, None) for x in rows)
    outputs = []
    sizes = [R * C for R, C in (block.shape for block in segments.blocks)]
    for block, q_, k_, v_ in zip(segments.blocks, *(x.split(sizes) for x in (q, k, v)), strict=True):
        shape = (*block.shape, -1, D)
        q_, k_, v_ = (x.view(shape).transpose(1, 2) for x in (q_, k_, v_))  # [R, heads, C, D]
        if block.prefix is not None:
            k_, v_ = (torch.cat((_prefixes(x, block, K), own), dim=2) for x, own in ((rows[1], k_), (rows[2], v_)))
        with torch.autocast(value.device.type, enabled=False):
            out = F.scaled_dot_product_attention(
                q_, k_, v_, block.mask, is_causal=block.mask is None, scale=scaling, enable_gqa=H != K
            )
        outputs.append(out.transpose(1, 2).reshape(-1, H * D))
    out = _Take.apply(torch.cat(outputs), segments.gather, segments.spread, segments.filled)
    return out.view(1, -1, H, D).to(given), None


def _prefixes(x: torch.Tensor, block: Block, heads: int) -> torch.Tensor:
    """[R, heads, S, D]: each segment's prefix, from the row's [N, heads * D]."""
    assert block.prefix is not None
    assert block.owner is not None
    return F.embedding(block.prefix, x).unflatten(-1, (heads, -1)).transpose(1, 2).index_select(0, block.owner)


AttentionInterface.register(NAME, segment_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
