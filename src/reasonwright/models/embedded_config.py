"""The shapes of the embedded models and their tokenizer, made from nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, Qwen3Config

from reasonwright.chat import THINK_CLOSE, THINK_OPEN, ChatFormat

END = "<|endoftext|>"
SHAPES: dict[str, dict[str, Any]] = {
    "base": {"hidden_size": 160, "intermediate_size": 480, "num_hidden_layers": 4, "num_attention_heads": 4},
    "student": {"hidden_size": 96, "intermediate_size": 208, "num_hidden_layers": 4, "num_attention_heads": 4},
    "tiny": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2},
}
"""Qwen3 architecture with tied embeddings and half as many key-value heads as query heads."""


def make_tokenizer(texts: Iterable[str], vocabulary: int = 1024) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on `texts`; digits are single tokens, and so are the two tags, which no
    pretraining text holds."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tags = [AddedToken(tag, special=False, normalized=False) for tag in (THINK_OPEN, THINK_CLOSE)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - len(tags),
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)
    fast.add_tokens(tags)
    ChatFormat(fast)  # sets the chat template
    return fast


def make_model(shape: str, vocabulary: int, end_id: int) -> Any:
    """A randomly initialised model; seed torch first."""
    sizes = SHAPES[shape]
    heads = sizes["num_attention_heads"]
    config = Qwen3Config(
        vocab_size=vocabulary,
        **sizes,
        num_key_value_heads=heads // 2,
        head_dim=sizes["hidden_size"] // heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        bos_token_id=None,
        eos_token_id=end_id,
        pad_token_id=end_id,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
