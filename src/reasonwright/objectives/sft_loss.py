"""Next-token cross-entropy."""

from __future__ import annotations

import torch

from reasonwright.types import Batch, LossOutput


def sft_loss(logprobs: torch.Tensor, batch: Batch) -> LossOutput:
    """L = -sum_t w_t log p(y_t | y_<t, x), the article's L_SFT averaged over the step's trained tokens.

    Which tokens are trained on is `batch.loss_mask`: the completion's (the article's formula) or all (its snippet).
    Args: logprobs: [B, T] of `batch.targets`, with graph.
    """
    mask = batch.loss_mask
    loss = -(torch.where(mask, logprobs, 0.0) * batch.weights).sum()
    return LossOutput(loss=loss, metrics={"tokens": float(mask.sum()), "nll": -float(logprobs.detach()[mask].sum())})
