"""The models and prompts that both sides of a benchmark read, and the machine's own limits."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measure import finished
from transformers import AutoModelForCausalLM, Qwen2Config

from reasonwright.chat import ChatFormat
from reasonwright.models.load import EMBEDDED, load_tokenizer
from reasonwright.tasks import load_task


@dataclass(frozen=True, slots=True)
class Shape:
    problems: int
    group_size: int
    new_tokens: int
    threads: int
    config: dict[str, Any] | None
    """Qwen2's, weights random; None: the embedded base."""
    micro_batch: int | None = None
    """Completions that TRL learns from at a time; None: all. Ours are counted in tokens."""


QWEN_05B = {
    "vocab_size": 151_936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
    "num_attention_heads": 14, "num_key_value_heads": 2,
}  # fmt: skip
QWEN_15B = {
    "vocab_size": 151_936, "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
    "num_attention_heads": 12, "num_key_value_heads": 2,
}  # fmt: skip
SHAPES = {
    "small": Shape(
        8, 8, 128, 1,
        {
            "vocab_size": 1024, "hidden_size": 192, "intermediate_size": 576, "num_hidden_layers": 6,
            "num_attention_heads": 6, "num_key_value_heads": 2,
        },
    ),
    "demo": Shape(32, 8, 64, 2, None),
    "0.5B": Shape(2, 4, 64, 2, QWEN_05B),
    # for a GPU
    "0.5B-gpu": Shape(64, 8, 512, 8, QWEN_05B, micro_batch=8),
    "1.5B-gpu": Shape(64, 8, 512, 8, QWEN_15B, micro_batch=8),
}  # fmt: skip


def write_model(shape: Shape, folder: Path) -> int:
    """A model folder for both sides; its number of parameters."""
    if shape.config is None:
        shutil.copytree(EMBEDDED["base"], folder)
        model = AutoModelForCausalLM.from_pretrained(folder)
    else:
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(
            Qwen2Config(**shape.config, tie_word_embeddings=True, max_position_embeddings=2048)
        )
        model.save_pretrained(folder)
        load_tokenizer("embedded:base").save_pretrained(folder)
    return sum(p.numel() for p in model.parameters())


def write_prompts(count: int, file: Path) -> float:
    """Word problems as text; their mean length in tokens."""
    chat = ChatFormat(load_tokenizer("embedded:base"))
    prompts = [chat.prompt(p.question).ids for p in load_task("word_problems").problems("rl", count)]
    file.write_text("".join(json.dumps({"prompt": chat.decode(ids)}) + "\n" for ids in prompts))
    return sum(map(len, prompts)) / count


def limits(shape: Shape, hidden: int, inner: int, dtype: torch.dtype, device: str) -> tuple[float, float]:
    """(FLOP/s of products of the model's own shape, bytes/s read from memory), with the shape's threads."""
    torch.set_num_threads(shape.threads)
    rows = 2048 if device == "cpu" else 16_384
    x, w = (torch.randn(n, hidden, dtype=dtype, device=device) for n in (rows, inner))
    memory = torch.zeros(2**28, device=device)
    flops = 2 * x.shape[0] * w.numel() / _best(lambda: torch.nn.functional.linear(x, w))
    return flops, memory.nbytes / _best(memory.sum)


def _best(work: Any) -> float:
    work()
    seconds = []
    for _ in range(7):
        finished()
        began = time.perf_counter()
        work()
        finished()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
