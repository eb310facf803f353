"""One forward step with a key-value cache, on the trainer's own modules.

`LlamaDecoder` runs the Llama family (Llama, Qwen2, Qwen3, Mistral without a window) with a preallocated cache;
`GenericDecoder` runs any `AutoModelForCausalLM` through transformers' dynamic cache, more slowly.
Rows are left-padded to one length, so that all write the same slot. Axes: R rows, S slots, H key-value heads,
Q query heads per key-value head, D head size.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from transformers import DynamicCache

logger = logging.getLogger("reasonwright")
_said: set[str] = set()


class Decoder(Protocol):
    def prefill(
        self, input_ids: torch.Tensor, lengths: torch.Tensor, owner: torch.Tensor, max_tokens: int
    ) -> torch.Tensor:
        """Read left-padded prompts [P, S] once; row r goes on from prompt owner[r]. Logits [R, V]."""
        ...

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Append one token a row [R]; logits [R, V] of the next."""
        ...

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows only; [R'] indices."""
        ...


def make_decoder(model: Any) -> Decoder:
    """The fast decoder where the architecture allows, else the generic one, said once."""
    config = model.config
    rope_type = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    family = config.model_type in ("llama", "qwen2", "qwen3", "mistral")
    if family and rope_type in ("default", "linear", "llama3") and window is None and config.hidden_act == "silu":
        return LlamaDecoder(model)
    if config.model_type not in _said:
        _said.add(config.model_type)
        logger.warning("no fast decoder for %r: sampling through transformers, which is slower", config.model_type)
    return GenericDecoder(model)


class LlamaDecoder:
    def __init__(self, model: Any):
        self.model = model
        self.decoder = model.get_decoder()
        self.head = model.get_output_embeddings()
        config = model.config
        self.D = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.H = config.num_key_value_heads
        self.Q = config.num_attention_heads // config.num_key_value_heads

    def prefill(
        self, input_ids: torch.Tensor, lengths: torch.Tensor, owner: torch.Tensor, max_tokens: int
    ) -> torch.Tensor:
        P, S = input_ids.shape
        device, layers = input_ids.device, len(self.decoder.layers)
        dtype = self.head.weight.dtype
        slots = torch.arange(S + max_tokens, device=device)
        self.pad = S - lengths  # [R] slots before a row's first token
        cos, sin = self.decoder.rotary_emb(torch.empty(0, dtype=dtype, device=device), slots.unsqueeze(0))
        self.cos, self.sin = cos[0], sin[0]  # [S + max_tokens, D]
        self.used = 0
        self.cache = torch.empty(layers, 2, P, self.H, S, self.D, dtype=dtype, device=device)
        logits = self._forward(input_ids)
        # the prompt was computed once for its whole group; now each completion gets its row
        prompt = self.cache
        self.cache = torch.empty(layers, 2, len(owner), self.H, S + max_tokens, self.D, dtype=dtype, device=device)
        self.cache[..., :S, :] = prompt[:, :, owner]
        self.pad = self.pad[owner]
        return logits[owner]

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._forward(tokens.unsqueeze(1))

    def keep(self, rows: torch.Tensor) -> None:
        self.pad = self.pad[rows]
        used, old = self.used, self.cache
        self.cache = torch.empty(*old.shape[:2], len(rows), *old.shape[3:], dtype=old.dtype, device=old.device)
        self.cache[..., :used, :] = old[:, :, rows, :, :used]

    def _forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Run [R, T] new tokens in slots used … used + T; logits [R, V] of the last."""
        R, T = input_ids.shape
        start, end = self.used, self.used + T
        slots = torch.arange(end, device=input_ids.device)
        seen = (slots >= self.pad[:, None, None]) & (slots <= slots[start:, None])  # [R, T, end]
        seen[..., start:end] |= torch.eye(T, dtype=torch.bool, device=input_ids.device)  # padding sees itself
        mask = seen.repeat(1, self.Q, 1).unsqueeze(1)  # [R, 1, Q * T, end]
        positions = (slots[start:] - self.pad[:, None]).clamp(min=0)  # [R, T]
        cos, sin = self.cos[positions].unsqueeze(1), self.sin[positions].unsqueeze(1)  # [R, 1, T, D]
        x = self.decoder.embed_tokens(input_ids)
        for layer, (k_cache, v_cache) in zip(self.decoder.layers, self.cache, strict=True):
            attn = layer.self_attn
            h = layer.input_layernorm(x)
            q = attn.q_proj(h).view(R, T, -1, self.D)
            k = attn.k_proj(h).view(R, T, -1, self.D)
            if hasattr(attn, "q_norm"):  # Qwen3
                q, k = attn.q_norm(q), attn.k_norm(k)
            q, k = _rotate(q.transpose(1, 2), cos, sin), _rotate(k.transpose(1, 2), cos, sin)
            k_cache[:, :, start:end] = k
            v_cache[:, :, start:end] = attn.v_proj(h).view(R, T, -1, self.D).transpose(1, 2)
            # the Q query heads of one key-value head stand side by side, as if they were Q * T positions
            q = q.reshape(R, self.H, self.Q * T, self.D)
            a = F.scaled_dot_product_attention(q, k_cache[:, :, :end], v_cache[:, :, :end], mask, scale=attn.scaling)
            a = a.view(R, self.H * self.Q, T, self.D).transpose(1, 2).reshape(R, T, -1)
            x = x + attn.o_proj(a)
            h = layer.post_attention_layernorm(x)
            x = x + layer.mlp.down_proj(F.silu(layer.mlp.gate_proj(h)) * layer.mlp.up_proj(h))
        self.used = end
        return self.head(self.decoder.norm(x[:, -1]))


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding of [R, heads, T, D] (Su et al., arXiv:2104.09864)."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class GenericDecoder:
    def __init__(self, model: Any):
        self.model = model

    def prefill(
        self, input_ids: torch.Tensor, lengths: torch.Tensor, owner: torch.Tensor, max_tokens: int
    ) -> torch.Tensor:
        S = input_ids.shape[1]
        self.mask = (torch.arange(S, device=input_ids.device) >= (S - lengths)[:, None]).long()
        self.cache = DynamicCache(config=self.model.config)
        logits = self._forward(input_ids, (self.mask.cumsum(1) - 1).clamp(min=0))
        self.keep(owner)
        return logits[owner]

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.mask = F.pad(self.mask, (0, 1), value=1)
        return self._forward(tokens.unsqueeze(1), self.mask.sum(1, keepdim=True) - 1)

    def keep(self, rows: torch.Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.mask = self.mask[rows]

    def _forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor) -> torch.Tensor:
        out = self.model(
            input_ids=input_ids,
            attention_mask=self.mask,
            position_ids=position_ids,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1]
