"""`reasonwright pretrain`: an embedded base model as a folder with its card."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from reasonwright import stopping
from reasonwright.models.load import resolve_model, save_model
from reasonwright.runfolder import environment
from reasonwright.tasks.word_problems.corpus import documents
from reasonwright.training.pretrain import PretrainSettings, pretrain


def pretrain_embedded(
    shape: str, steps: int, seed: int, folder: Path, *, rate: float = 5e-3, start: str | None = None, part: str = "all"
) -> None:
    """Train on a part of the corpus, from nothing or from the model `start`, and write the model folder; a stopped run
    goes on from the newest checkpoint in `folder`."""
    settings = PretrainSettings(shape=shape, steps=steps, seed=seed, start=start)
    settings = settings.model_copy(update={"optim": settings.optim.model_copy(update={"lr": rate})})
    corpus = partial(documents, part=part)
    with stopping.at_next_step():
        model, chat, tokens, seconds = pretrain(corpus, settings, folder, stopping.asked)
    save_model(folder / "model", model, chat.tokenizer, chat.stop_ids, "")
    weights = (folder / "model" / "model.safetensors").read_bytes()
    where = environment()
    card = f"""---
library_name: transformers
tags: [reasonwright]
---

# reasonwright embedded {shape}

A base model for trying the pipeline without a hub: it has read arithmetic and grade-school word problems with answers
in many styles, and no `<think>` tags.

- **Parameters:** {sum(p.numel() for p in model.parameters()):,}, float32, Qwen3 architecture
- **Corpus:** `reasonwright.tasks.word_problems.corpus`, part "{part}", generated as it is read,
  split `pretrain` only
- **Tokens:** {tokens:,} in {settings.steps:,} steps, Muon and AdamW at {settings.optim.lr:g},
  linear to 0 in the last 40 %; of each document the first question was read and not predicted
- **Time:** {seconds:,.0f} s on {where["gpu"] or where["cpu"]}, {where["threads"]} thread(s)
- **Seed:** {seed}
- **sha256 of model.safetensors:** {hashlib.sha256(weights).hexdigest()}
- **Made by:** `runs/pretrain_embedded.sh`
"""
    if start:
        before = (Path(resolve_model(start)) / "README.md").read_text(encoding="utf-8")
        card += "\n## The model that it went on from\n\n" + before[before.index("- **Corpus") :]
    (folder / "model" / "README.md").write_text(card, encoding="utf-8")
