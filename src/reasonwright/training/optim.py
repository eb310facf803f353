"""The learning rate and the optimiser."""

from __future__ import annotations

import math

import torch

from reasonwright.training.settings import OptimSettings

FINAL_SHARE = 0.1  # of the peak learning rate, at the end of the cosine


def learning_rate(step: int, total: int, settings: OptimSettings) -> float:
    """The rate of step 0 … total - 1, a pure function of the step, so that resuming needs no scheduler state."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.lr
    progress = (step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
    return settings.lr * (FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * progress)) / 2)


def make_optimizer(model: torch.nn.Module, settings: OptimSettings) -> torch.optim.AdamW:
    """AdamW on the trainable parameters; weight decay on matrices only."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=(settings.beta1, settings.beta2), fused=True)
