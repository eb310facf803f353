"""Step-by-step decoding with a key-value cache, on the trainer's own modules.

`LlamaDecoder` runs the Llama family with a preallocated cache in which a group's prompt lies once, for all of its
completions, and what all prompts begin with (worked examples) once for all; `GenericDecoder` runs any
`AutoModelForCausalLM` through transformers' dynamic cache, more slowly. In bfloat16 (models/precision.py) both cast
what autocast casts in the trainer, and nothing else, so that they compute what it computes. Axes: R rows (completions
on their way), P prompts, C tokens that all prompts begin with, S further positions of the longest prompt, T tokens of
the longest completion, L layers, H key-value heads, Q query heads per key-value head, D head size, V vocabulary.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from transformers import DynamicCache

from reasonwright.models.attention import is_plain
from reasonwright.models.precision import attention_dtype, autocast, compute_dtype

logger = logging.getLogger("reasonwright")
_said: set[str] = set()
PREFILL_TOKENS = 8192
"""Prompts are read in pieces of at most so many positions, so that activations stay small."""


class Decoder(Protocol):
    cache_dtype: torch.dtype
    """Of the keys and values."""
    shares_prompts: bool
    """A prompt lies in the cache once for all rows that continue it."""

    @property
    def free_prompts(self) -> int:
        """How many prompts may be added now; none while rows are on their way that others must not join."""
        ...

    def reserve(self, rows: int, prompts: int, width: int, max_tokens: int, common: Sequence[int] = ()) -> None:
        """Make room for so many rows and prompts, and begin anew. All prompts will begin with the tokens `common` and
        have at most `width` after them."""
        ...

    def add(self, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> torch.Tensor:
        """Read prompts, each once; counts[p] further rows continue prompt p. Logits [sum(counts), V] of their first."""
        ...

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append one token a row [R]; logits [R, V] of the next."""
        ...

    def keep(self, order: np.ndarray) -> None:
        """Go on with these rows: row r is from now on what row order[r] was."""
        ...


def make_decoder(model: Any) -> Decoder:
    """The fast decoder where the architecture allows, else the generic one, said once."""
    config = model.config
    rope_type = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if is_plain(config) and rope_type in ("default", "linear", "llama3") and config.hidden_act == "silu":
        return LlamaDecoder(model)
    if config.model_type not in _said:
        _said.add(config.model_type)
        logger.warning("no fast decoder for %r: sampling through transformers, which is slower", config.model_type)
    return GenericDecoder(model)


class LlamaDecoder:
    """Llama, Qwen2, Qwen3 and Mistral without a window."""

    shares_prompts = True

    def __init__(self, model: Any):
        self.decoder = model.get_decoder()
        self.head = model.get_output_embeddings()
        config = model.config
        self.D = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.H = config.num_key_value_heads
        self.Q = config.num_attention_heads // config.num_key_value_heads
        self.dtype = compute_dtype(model)
        self.cache_dtype = attention_dtype(self.dtype, model.device.type)
        self.capacity = (0, 0, 0, 0)

    def reserve(self, rows: int, prompts: int, width: int, max_tokens: int, common: Sequence[int] = ()) -> None:
        needed, C = (rows, prompts, width, max_tokens), len(common)
        weight, L = self.head.weight, len(self.decoder.layers)
        like = {"dtype": self.cache_dtype, "device": weight.device}
        if any(need > have for need, have in zip(needed, self.capacity, strict=True)):
            self.capacity = rows, prompts, width, max_tokens
            self.own = torch.zeros(L, 2, rows, self.H, max_tokens, self.D, **like)
            self.prompt = torch.zeros(L, 2, prompts, self.H, width, self.D, **like)
        positions = torch.arange(C + width + max_tokens, device=weight.device).unsqueeze(0)
        cos, sin = self.decoder.rotary_emb(self.decoder.embed_tokens.weight, positions)  # in the residual stream's type
        self.cos, self.sin = cos[0], sin[0]  # [C + S + T, D]
        self.sin[:, : self.D // 2] *= -1  # as `_rotate` takes it
        self.common = torch.zeros(L, 2, 1, self.H, 0, self.D, **like)
        if C:
            keys_and_values = torch.zeros(L, 2, 1, self.H, C, self.D, **like)
            self._read([common], keys_and_values)
            self.common = keys_and_values
        self.prompts = prompts
        self.owner = np.zeros(0, dtype=np.int64)  # [R] each row's prompt
        self.length = np.zeros(0, dtype=np.int64)  # [R] tokens that each row has read
        self.prompt_length = np.zeros(0, dtype=np.int64)  # [P]

    @property
    def free_prompts(self) -> int:
        return self.prompts - len(self.prompt_length)

    def add(self, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> torch.Tensor:
        first, rest = len(self.prompt_length), [p[self.common.shape[-2] :] for p in prompts]
        lengths = np.array([len(p) for p in rest])
        chunk = max(1, PREFILL_TOKENS // int(lengths.max()))
        logits = [
            self._read(rest[at : at + chunk], self.prompt[:, :, first + at :]) for at in range(0, len(prompts), chunk)
        ]
        self.prompt_length = np.concatenate([self.prompt_length, lengths])
        self.owner = np.concatenate([self.owner, np.repeat(np.arange(first, first + len(prompts)), counts)])
        self.length = np.concatenate([self.length, np.zeros(sum(counts), dtype=np.int64)])
        self._members()
        return torch.cat(logits).repeat_interleave(self._tensor(np.array(counts)), 0)

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        R, P, C = len(self.owner), len(self.prompt_length), self.common.shape[-2]
        heads = np.arange(R * self.H).reshape(R, self.H)
        slots = self._tensor((heads * self.own.shape[-2] + self.length[:, None]).reshape(-1))
        self.length = self.length + 1
        S, T = int(self.prompt_length.max()), int(self.length.max())
        mask = self._mask(S, T)
        position = self._tensor(C + self.prompt_length[self.owner] + self.length - 1)
        cos, sin = self.cos[position].unsqueeze(1), self.sin[position].unsqueeze(1)  # [R, 1, D]
        x = self.decoder.embed_tokens(tokens)
        for layer, own, prompt, common in zip(self.decoder.layers, self.own, self.prompt, self.common, strict=True):
            q, k, v = self._project(layer, x, cos, sin)
            for cache, new in zip(own, (k, v), strict=True):
                cache.view(-1, self.D).index_copy_(0, slots, new.reshape(-1, self.D))
            recent, before = own[:, :R, :, :T], prompt[:, :P, :, :S]
            q, scale = q.view(R, self.H, self.Q, self.D), layer.self_attn.scaling
            # the keys and values of a prompt are read once, for the queries of all rows that continue it
            scores = [self._apart(_scores(self._together(q), before[0], scale)), _scores(q, recent[0], scale)]
            if C:
                scores.append(_all_apart(_scores(_all_together(q), common[0], scale), R))
            weights = torch.cat(scores, dim=-1)
            if mask is not None:
                weights += mask
            on_prompt, on_recent, on_common = weights.softmax(-1).to(self.cache_dtype).split((S, T, C), dim=-1)
            a = _product(on_recent, recent[1]) + self._apart(_product(self._together(on_prompt), before[1]))
            if C:
                a += _all_apart(_product(_all_together(on_common), common[1]), R)
            x = x + layer.self_attn.o_proj(a.view(R, -1).to(self.dtype))
            x = x + layer.mlp(layer.post_attention_layernorm(x).to(self.dtype))
        return self.head(self.decoder.norm(x).to(self.dtype))

    def keep(self, order: np.ndarray) -> None:
        self._move(self.own, order, int(self.length.max(initial=0)))
        self.owner, self.length = self.owner[order], self.length[order]
        live = np.unique(self.owner)
        prompts = fill_holes(np.isin(np.arange(len(self.prompt_length)), live))
        self._move(self.prompt, prompts, int(self.prompt_length.max()))
        place = np.empty(len(self.prompt_length), dtype=np.int64)
        place[prompts] = np.arange(len(prompts))
        self.owner, self.prompt_length = place[self.owner], self.prompt_length[prompts]
        self._members()

    def _read(self, prompts: Sequence[Sequence[int]], cache: torch.Tensor) -> torch.Tensor:
        """Read prompts, what is common to all left out, into the first places of `cache`; logits [P, V] of their next
        tokens."""
        lengths = np.array([len(prompt) for prompt in prompts])
        P, S, C = len(prompts), int(lengths.max()), self.common.shape[-2]
        padded = np.zeros((P, S), dtype=np.int64)
        for row, prompt in zip(padded, prompts, strict=True):
            row[: len(prompt)] = prompt
        x = self.decoder.embed_tokens(self._tensor(padded))
        cos, sin = self.cos[C : C + S].unsqueeze(1), self.sin[C : C + S].unsqueeze(1)  # [S, 1, D]
        mask = torch.ones(S, C + S, dtype=torch.bool, device=x.device).tril(C) if C else None
        for layer, (keys, values), common in zip(self.decoder.layers, cache, self.common, strict=True):
            q, k, v = (y.transpose(1, 2) for y in self._project(layer, x, cos, sin))
            keys[:P, :, :S], values[:P, :, :S] = k, v
            k, v = (
                torch.cat((c.expand(P, -1, -1, -1), y), dim=2) if C else y for c, y in zip(common, (k, v), strict=True)
            )
            a = F.scaled_dot_product_attention(
                q, k, v, mask, is_causal=mask is None, scale=layer.self_attn.scaling, enable_gqa=self.Q > 1
            )
            x = x + layer.self_attn.o_proj(a.transpose(1, 2).reshape(P, S, -1).to(self.dtype))
            x = x + layer.mlp(layer.post_attention_layernorm(x).to(self.dtype))
        last = x[torch.arange(P, device=x.device), self._tensor(lengths - 1)]
        return self.head(self.decoder.norm(last).to(self.dtype))

    def _project(self, layer: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Queries [..., H * Q, D], keys and values [..., H, D], rotated to their positions, as attention takes them."""
        attn, h = layer.self_attn, layer.input_layernorm(x).to(self.dtype)
        shape = (*x.shape[:-1], -1, self.D)
        q, k, v = (project(h).view(shape) for project in (attn.q_proj, attn.k_proj, attn.v_proj))
        if hasattr(attn, "q_norm"):  # Qwen3
            q, k = attn.q_norm(q), attn.k_norm(k)
        rotated = _rotate(torch.cat((q, k), dim=-2), cos, sin).to(self.cache_dtype)
        q, k = rotated.split((self.H * self.Q, self.H), dim=-2)
        return q.contiguous(), k, v.to(self.cache_dtype)

    def _members(self) -> None:
        """members [P * G]: the rows of each prompt, padded with row 0; back [R]: each row's place among them."""
        P = len(self.prompt_length)
        counts = np.bincount(self.owner, minlength=P)
        G = int(counts.max(initial=0))
        by_prompt = np.argsort(self.owner, kind="stable")
        nth = np.arange(len(self.owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        back = np.empty_like(self.owner)
        back[by_prompt] = self.owner[by_prompt] * G + nth
        members = np.zeros(P * G, dtype=np.int64)
        members[back] = np.arange(len(self.owner))
        self.members, self.back = self._tensor(members), self._tensor(back)

    def _together(self, x: torch.Tensor) -> torch.Tensor:
        """[R, H, Q, n] -> [P, H, G * Q, n], each prompt's rows."""
        P, n = len(self.prompt_length), x.shape[-1]
        x = F.embedding(self.members, x.reshape(len(x), -1)).view(P, -1, self.H, self.Q, n)
        return x.transpose(1, 2).reshape(P, self.H, -1, n)

    def _apart(self, x: torch.Tensor) -> torch.Tensor:
        """[P, H, G * Q, n] of the prompts' rows -> [R, H, Q, n]."""
        P, n = x.shape[0], x.shape[-1]
        x = x.view(P, self.H, -1, self.Q, n).transpose(1, 2).reshape(-1, self.H * self.Q * n)
        return F.embedding(self.back, x).view(-1, self.H, self.Q, n)

    def _mask(self, S: int, T: int) -> torch.Tensor | None:
        """[R, 1, 1, S + T + C]: minus infinity behind a row's prompt and behind its own tokens; None where nothing is
        behind them."""
        lengths = self.prompt_length[self.owner]
        if (lengths == S).all() and (self.length == T).all():
            return None
        seen = (np.arange(S) < lengths[:, None], np.arange(T) < self.length[:, None])
        mask = np.where(np.concatenate(seen, axis=1), np.float32(0), np.float32(-np.inf))
        mask = np.pad(mask, ((0, 0), (0, self.common.shape[-2])))
        return self._tensor(mask)[:, None, None]

    @staticmethod
    def _move(cache: torch.Tensor, order: np.ndarray, used: int) -> None:
        """Row r of [L, 2, rows, H, slots, D] becomes what row order[r] was, in `used` slots."""
        to = np.flatnonzero(order != np.arange(len(order)))
        if len(to) and used:
            rows, come = (torch.from_numpy(index).to(cache.device) for index in (to, order[to]))
            cache[:, :, rows, :, :used] = cache[:, :, come, :, :used]

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.head.weight.device, non_blocking=True)


def fill_holes(alive: np.ndarray) -> np.ndarray:
    """Which rows to keep, and where: holes are filled with the last rows, so that few have to move."""
    n = int(alive.sum())
    order = np.arange(n)
    order[~alive[:n]] = np.flatnonzero(alive[n:]) + n
    return order


def _scores(q: torch.Tensor, k: torch.Tensor, scale: float) -> torch.Tensor:
    """Scaled scores [n, H, q, k] in float32."""
    k = k.transpose(-1, -2)
    if q.dtype == torch.bfloat16:  # the scale comes last, as in the trainer's kernels
        return _product(q, k) * scale
    return torch.matmul(q * scale, k).float()


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a @ b in float32, not rounded to bfloat16 in between where that is what they are."""
    if a.dtype == torch.bfloat16 and a.is_cuda:
        return torch.bmm(a.flatten(0, 1), b.flatten(0, 1), out_dtype=torch.float32).unflatten(0, a.shape[:2])
    return torch.matmul(a.float(), b.float())


def _all_together(x: torch.Tensor) -> torch.Tensor:
    """[R, H, Q, n] -> [1, H, R * Q, n]."""
    return x.transpose(0, 1).reshape(1, x.shape[1], -1, x.shape[-1])


def _all_apart(x: torch.Tensor, rows: int) -> torch.Tensor:
    """[1, H, R * Q, n] -> [R, H, Q, n]."""
    return x.view(x.shape[1], rows, -1, x.shape[-1]).transpose(0, 1)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding of [..., heads, D] (Su et al., arXiv:2104.09864); the first half of `sin` is negated,
    so that no half of x must be."""
    first, second = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat((second, first), dim=-1), sin)


class _Cache(DynamicCache):
    """Holds keys and values in the type that attention takes them in: autocast leaves rotated keys float32."""

    dtype: torch.dtype

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return super().update(key_states.to(self.dtype), value_states.to(self.dtype), *args, **kwargs)


class GenericDecoder:
    """Rows are left-padded to one length; new ones must wait until all are done."""

    shares_prompts = False

    def __init__(self, model: Any):
        self.model = model
        self.cache_dtype = compute_dtype(model)

    def reserve(self, rows: int, prompts: int, width: int, max_tokens: int, common: Sequence[int] = ()) -> None:
        self.prompts = self.free_prompts = rows  # the cache grows by itself

    def add(self, prompts: Sequence[Sequence[int]], counts: Sequence[int]) -> torch.Tensor:
        S, device = max(map(len, prompts)), self.model.device
        self.free_prompts = 0
        self.mask = torch.tensor([[0] * (S - len(p)) + [1] * len(p) for p in prompts], device=device)
        ids = torch.tensor([[0] * (S - len(p)) + list(p) for p in prompts], device=device)
        self.cache = _Cache(config=self.model.config)
        self.cache.dtype = self.cache_dtype
        logits = self._forward(ids, (self.mask.cumsum(1) - 1).clamp(min=0))
        owner = np.repeat(np.arange(len(prompts)), counts)
        self.keep(owner)
        return logits[torch.from_numpy(owner).to(device)]

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.mask = F.pad(self.mask, (0, 1), value=1)
        return self._forward(tokens.unsqueeze(1), self.mask.sum(1, keepdim=True) - 1)

    def keep(self, order: np.ndarray) -> None:
        rows = torch.from_numpy(order).to(self.model.device)
        self.cache.batch_select_indices(rows)
        self.mask = self.mask[rows]
        self.free_prompts = 0 if len(rows) else self.prompts

    def _forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor) -> torch.Tensor:
        with autocast(self.model):
            out = self.model(
                input_ids=input_ids,
                attention_mask=self.mask,
                position_ids=position_ids,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return out.logits[:, -1]
