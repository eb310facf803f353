"""The embedded base models, from nothing or a model: next-token prediction on a stream of generated documents.

A step's documents are a function of (seed, step), made on the fly and never seen twice. Of a document with questions
the first question is read and not predicted: its names and numbers are drawn at random, and what is predicted instead
is learned sooner (LOG.md).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import PreTrainedTokenizerFast

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.display import Bar
from reasonwright.models.embedded_config import make_model, make_tokenizer
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.runlog import append_jsonl, keep_steps_before
from reasonwright.settings import Settings
from reasonwright.training.checkpoint import Checkpoints
from reasonwright.training.policy import Policy
from reasonwright.training.settings import OptimSettings

TOKENIZER_DOCUMENTS = 20_000
ANSWER = "\nAnswer:"
TOKENIZER_SHARD = 2**40
"""Far above any step, so that the tokenizer's documents are nobody else's."""

Documents = Callable[[int, int], Iterator[str]]
"""(seed, shard) -> an endless stream."""


class PretrainSettings(Settings):
    shape: str = "base"
    """base, student or tiny (`models/embedded_config.py`)."""
    start: str | None = None
    """A model to go on from, with its tokenizer; null: from nothing."""
    vocabulary: int = 1024
    steps: int = 6000
    tokens_per_step: int = 4096
    optim: OptimSettings = OptimSettings(
        optimizer="muon", lr=5e-3, schedule="wsd", warmup_steps=100, weight_decay=0.05, micro_batch_tokens=2048
    )
    checkpoint_every: int = 250
    checkpoints_kept: int = 2
    seed: int = 0


def pretrain(documents: Documents, settings: PretrainSettings, folder: Path, stop: Callable[[], bool] = lambda: False):
    """Train tokenizer and model; returns (model, chat format, tokens seen, seconds of training).

    Goes on from the newest checkpoint; raises Stopped where `stop()` said to stop.
    """
    # on a CPU this means oneDNN instead of MKL: 1.1 to 2.3 times as fast on AMD's, and nearly as exact (errors
    # of 1e-4); the flash kernel for attention alone is slowed by it, hence MATH below
    torch.set_float32_matmul_precision("medium")
    if settings.start:
        model, chat = load_model(settings.start), ChatFormat(load_tokenizer(settings.start))
    else:
        made = folder / "tokenizer"
        if not made.exists():
            stream = documents(settings.seed, TOKENIZER_SHARD)
            make_tokenizer(itertools.islice(stream, TOKENIZER_DOCUMENTS), settings.vocabulary).save_pretrained(made)
        chat = ChatFormat(PreTrainedTokenizerFast.from_pretrained(made))
        torch.manual_seed(settings.seed)
        model = make_model(settings.shape, len(chat.tokenizer), chat.end_id)
    policy = Policy(model, settings.optim, settings.steps)
    checkpoints = Checkpoints(folder / "checkpoints", policy, chat, settings, settings.steps, stop)
    state = checkpoints.load()
    start, tokens, seconds = state.step, state.extra.get("tokens", 0), state.extra.get("seconds", 0.0)
    keep_steps_before(folder / "metrics.jsonl", start)
    with sdpa_kernel(SDPBackend.MATH), Bar(f"pretrain {settings.shape}", settings.steps, start) as bar:
        for step in range(start, settings.steps):
            began = time.perf_counter()
            rows = _rows(documents(settings.seed, step), chat, settings.tokens_per_step)
            weights = token_weights(rows, aggregate="token")
            batches = pack(rows, weights, micro_batch_tokens=settings.optim.micro_batch_tokens, join=False)
            metrics = policy.update(batches, sft_loss)
            seconds += time.perf_counter() - began
            tokens += sum(map(len, rows))
            append_jsonl(folder / "metrics.jsonl", [{"step": step, "seconds": seconds} | metrics])
            checkpoints.after_step(step + 1, tokens=tokens, seconds=seconds)
            bar.advance(loss=metrics["loss"])
    return model, chat, tokens, seconds


def _rows(stream: Iterator[str], chat: ChatFormat, tokens: int) -> list[TokenSequence]:
    """Documents until they hold `tokens` tokens, each with its end."""
    rows: list[TokenSequence] = []
    size = 0
    while size < tokens:
        texts = list(itertools.islice(stream, 8))
        first = [t[: t.find(ANSWER) + len(ANSWER)] if ANSWER in t else "" for t in texts]
        rest = [t.removeprefix(question) for t, question in zip(texts, first, strict=True)]
        read = chat.tokenizer(first, add_special_tokens=False).input_ids
        predicted = chat.tokenizer(rest, add_special_tokens=False).input_ids
        rows += [TokenSequence(a, [*b, chat.end_id]) for a, b in zip(read, predicted, strict=True)]
        size = sum(map(len, rows))
    return rows
