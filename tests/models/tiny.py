"""A random Qwen3, and sequences for it."""

from __future__ import annotations

import random

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from reasonwright.data.packing import TokenSequence
from reasonwright.models.attention import prepare

VOCABULARY = 40


def tiny_qwen3(dtype: torch.dtype = torch.float64) -> Qwen3ForCausalLM:
    """float64, so that what is left of a difference is a mistake and not rounding."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=64,
        initializer_range=0.3,  # far from uniform
        tie_word_embeddings=True,
    )
    return prepare(Qwen3ForCausalLM(config)).to(dtype).eval()


def random_sequences(seed: int, count: int = 9) -> list[TokenSequence]:
    """Prompts of 1 to 5 tokens with completions of 1 to 7, lengths mixed so that rows are shared and padded."""
    rng = random.Random(seed)
    return [
        TokenSequence(
            [rng.randrange(VOCABULARY) for _ in range(rng.randint(1, 5))],
            [rng.randrange(VOCABULARY) for _ in range(rng.randint(1, 7))],
        )
        for _ in range(count)
    ]


def random_groups(seed: int, groups: int = 3) -> list[TokenSequence]:
    """1 to 4 completions of each of several prompts, one of the prompts a single token, mixed up."""
    rng = random.Random(seed)
    prompts = [[rng.randrange(VOCABULARY) for _ in range(1 + 3 * g)] for g in range(groups)]
    sequences = [
        TokenSequence(prompt, [rng.randrange(VOCABULARY) for _ in range(rng.randint(1, 9))])
        for prompt in prompts
        for _ in range(rng.randint(2, 4))
    ]
    return rng.sample(sequences, len(sequences))
