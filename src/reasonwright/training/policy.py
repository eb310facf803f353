"""The trained model: forward, backward, step. It owns everything about weights and nothing about rewards or data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch

from reasonwright.models.forward import batch_logprobs
from reasonwright.models.layers import checkpoint_layers, compile_layers, recompute_units
from reasonwright.training.optim import learning_rate, make_optimizer
from reasonwright.training.settings import OptimSettings
from reasonwright.types import Batch, LossOutput, UserError

LossFunction = Callable[[torch.Tensor, Batch], LossOutput]


class Policy:
    """A model with its optimiser.

    The model stays in eval mode: dropout would make the trainer's log-probabilities differ from the sampler's.
    """

    def __init__(self, model: Any, settings: OptimSettings, total_steps: int):
        self.model = model.eval()
        self.settings = settings
        self.total_steps = total_steps
        self.optimizer = make_optimizer(model, settings)
        if settings.torch_compile:
            compile_layers(model)
        if settings.activation_checkpointing:
            checkpoint_layers(model)
        elif not settings.torch_compile:  # whose own planning decides what to compute again
            recompute_units(model)
        self.steps = 0
        """Optimiser steps attempted, skipped ones included."""
        self.bad_steps = 0
        """Skipped steps in a row."""

    @torch.no_grad()
    def logprobs(self, batches: list[Batch], temperature: float = 1.0) -> list[torch.Tensor]:
        """[B, T] log-probabilities of each micro-batch's targets under the current weights."""
        return [batch_logprobs(self.model, b.to(self.model.device), temperature)[0] for b in batches]

    def update(self, batches: list[Batch], loss: LossFunction, temperature: float = 1.0) -> dict[str, float]:
        """One optimiser step on the micro-batches of one global batch.

        Returns the step's loss, lr, grad_norm, skipped (0 or 1), tokens, entropy and the loss function's metrics, those
        as means over trained tokens. A loss or gradient that is not finite leaves weights and moments as they were;
        raises UserError after `max_bad_steps` such steps in a row.
        """
        self.optimizer.zero_grad(set_to_none=True)
        total, sums = 0.0, Counter[str]()
        for batch in batches:
            batch = batch.to(self.model.device)
            logprobs, entropy = batch_logprobs(self.model, batch, temperature)
            out = loss(logprobs, batch)
            out.loss.backward()
            total += out.loss.item()
            sums.update(out.metrics | {"entropy": float(entropy)})
        trained = [p for p in self.model.parameters() if p.grad is not None]
        grad_norm = torch.nn.utils.clip_grad_norm_(trained, self.settings.max_grad_norm)
        lr = learning_rate(self.steps, self.total_steps, self.settings)
        finite = bool(torch.isfinite(grad_norm)) and total == total and abs(total) != float("inf")
        if finite:
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self._count_bad(finite)
        tokens = sums.pop("tokens", 0.0)
        means = {name: value / max(1.0, tokens) for name, value in sums.items()}
        return {
            "loss": total,
            "lr": lr,
            "grad_norm": float(grad_norm),
            "skipped": float(not finite),
            "tokens": tokens,
        } | means

    def _count_bad(self, finite: bool) -> None:
        self.bad_steps = 0 if finite else self.bad_steps + 1
        if self.bad_steps >= self.settings.max_bad_steps:
            raise UserError(
                f"the loss or its gradient was not finite in {self.bad_steps} steps in a row (the last at step "
                f"{self.steps}), so training stopped before the weights were touched: lower the learning rate "
                f"(now {self.settings.lr:g}) or go on from an earlier checkpoint"
            )
