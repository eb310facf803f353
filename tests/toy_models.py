"""Small random models of the families that the samplers run, and one whose every word is known beforehand."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

V = 304  # the toy tokenizers have up to 300 tokens and a few tags
WINDOW = 4
GQA = {"num_attention_heads": 4, "num_key_value_heads": 2}
SIZES: dict[str, Any] = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.15,
    **GQA,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 1e4,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 32}


def rope(kind: str, **more: Any) -> dict[str, Any]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 1e4, **more}}


FAST = {
    "qwen3": lambda: Qwen3Config(**SIZES, head_dim=16),
    "qwen3 tied": lambda: Qwen3Config(**SIZES, head_dim=8, tie_word_embeddings=True),
    "qwen2": lambda: Qwen2Config(**SIZES),
    "llama": lambda: LlamaConfig(**SIZES),
    "llama biases": lambda: LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    "llama heads": lambda: LlamaConfig(**SIZES | {"num_key_value_heads": 4}, head_dim=12),
    "llama one head": lambda: LlamaConfig(**SIZES | {"num_key_value_heads": 1}),
    "llama linear rope": lambda: LlamaConfig(**SIZES, **rope("linear", factor=2.0)),
    "llama 3 rope": lambda: LlamaConfig(**SIZES, rope_parameters=LLAMA3),
    "mistral": lambda: MistralConfig(**SIZES, sliding_window=None),
}
GENERIC = {
    "mistral window": lambda: MistralConfig(**SIZES, sliding_window=WINDOW),
    "qwen2 window": lambda: Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1),
    "qwen3 window": lambda: Qwen3Config(**SIZES, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=0),
    "gemma2": lambda: Gemma2Config(**SIZES, head_dim=8, sliding_window=WINDOW, final_logit_softcapping=2.0),
    "gemma3": lambda: Gemma3TextConfig(
        **SIZES, head_dim=8, sliding_window=WINDOW, layer_types=["sliding_attention", "full_attention"]
    ),
    "llama yarn": lambda: LlamaConfig(**SIZES, rope_parameters=YARN),
    "llama dynamic": lambda: LlamaConfig(**SIZES, **rope("dynamic", factor=2.0)),
    "llama gelu": lambda: LlamaConfig(**SIZES, hidden_act="gelu"),
    "gpt2": lambda: GPT2Config(vocab_size=V, n_embd=32, n_layer=2, n_head=4, n_positions=128, initializer_range=0.15),
    "gpt_neox": lambda: GPTNeoXConfig(
        **{k: v for k, v in SIZES.items() if k != "num_key_value_heads"}, hidden_dropout=0.1, attention_dropout=0.1
    ),
}


def toy_model(kind: str, seed: int = 0) -> Any:
    """Every parameter is random, the biases and norms that libraries start at 0 and 1 too."""
    torch.manual_seed(seed)
    attention = "eager" if kind == "gemma2" else "sdpa"  # scaled-dot-product attention cannot cap its scores
    model = AutoModelForCausalLM.from_config((FAST | GENERIC)[kind](), attn_implementation=attention)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.3 * torch.randn_like(parameter)
    return model.eval()


def chain_model(successor: dict[int, int]) -> Any:
    """A model that always follows token t by successor[t] (and by itself where there is none)."""
    torch.manual_seed(0)
    config = LlamaConfig(**SIZES | {"hidden_size": V, "num_attention_heads": 2, "num_hidden_layers": 1})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    with torch.no_grad():
        layer = model.model.layers[0]
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(V))
        model.lm_head.weight.zero_()
        for token in range(V):
            model.lm_head.weight[successor.get(token, token), token] = 10
    return model.eval()
