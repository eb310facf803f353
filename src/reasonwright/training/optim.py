"""The learning rate and the optimiser."""

from __future__ import annotations

import math
from typing import Any

import torch

from reasonwright.training.settings import OptimSettings

FINAL_SHARE = 0.1  # of the peak learning rate, at the end of the cosine
DECAY_SHARE = 0.4  # of the steps, in which the rate of "wsd" falls


def learning_rate(step: int, total: int, settings: OptimSettings) -> float:
    """The rate of step 0 … total - 1, a pure function of the step, so that resuming needs no scheduler state."""
    if step < settings.warmup_steps:
        return settings.lr * (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return settings.lr
    if settings.schedule == "wsd":
        return settings.lr * min(1.0, (total - step) / (DECAY_SHARE * total))
    progress = (step - settings.warmup_steps) / max(1, total - settings.warmup_steps)
    return settings.lr * (FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * progress)) / 2)


def make_optimizer(model: Any, settings: OptimSettings) -> torch.optim.AdamW | Together:
    """The optimiser of the trainable parameters; weight decay on matrices only."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if settings.optimizer == "adamw":
        return _adamw(trained, settings)
    vocabulary = {id(e.weight) for e in (model.get_input_embeddings(), model.get_output_embeddings())}
    hidden = [p for p in trained if p.ndim == 2 and id(p) not in vocabulary]
    chosen = {id(p) for p in hidden}
    muon = torch.optim.Muon(
        hidden, lr=settings.lr, weight_decay=settings.weight_decay, adjust_lr_fn="match_rms_adamw"
    )  # updates as large as AdamW's, so that one learning rate serves both (Liu et al., arXiv:2502.16982)
    return Together(muon, _adamw([p for p in trained if id(p) not in chosen], settings))


class Together:
    """Two optimisers, each of its own parameters, used as one."""

    def __init__(self, first: torch.optim.Optimizer, second: torch.optim.Optimizer):
        self.optimizers = (first, second)
        self.param_groups = [*first.param_groups, *second.param_groups]
        self.state = first.state
        """By parameter, of both."""
        first.state.update(second.state)
        second.state = first.state

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)


def _adamw(parameters: list[torch.nn.Parameter], settings: OptimSettings) -> torch.optim.AdamW:
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=settings.lr, betas=(settings.beta1, settings.beta2), fused=True)
    for p in parameters:  # as its first step would, but in one piece: among activations they scatter the free memory
        step = torch.zeros((), dtype=torch.float32, device=p.device)
        optimizer.state[p] = {"step": step, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
    return optimizer
