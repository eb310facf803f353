"""What a model computes in: the type of its weights, or bfloat16 by autocast with weights that stay float32.

In bfloat16 the linear layers and attention take and give bfloat16; embeddings, norms, the residual stream and all that
follows the logits stay float32.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from reasonwright.models.settings import Compute
from reasonwright.types import UserError


def compute_in(model: Any, compute: Compute) -> Any:
    """The same model, which from now on computes in that type; so do its copies, and it with an adapter."""
    if compute == "bfloat16":
        model.compute_dtype = torch.bfloat16
    return model


def compute_dtype(model: Any) -> torch.dtype:
    """That of what goes into the model's linear layers."""
    return getattr(model, "compute_dtype", model.dtype)


def attention_dtype(given: torch.dtype, device: str) -> torch.dtype:
    """That in which our attention computes what linear layers gave in another: float32 on a CPU, whose bfloat16 kernel
    takes three times as long for the gradient (LOG.md)."""
    return torch.promote_types(given, torch.float32) if device == "cpu" else given


def autocast(model: Any) -> contextlib.AbstractContextManager[Any]:
    """For as long as the context lasts, the model's forward pass is in its type; one in its weights' is left alone."""
    dtype = compute_dtype(model)
    return contextlib.nullcontext() if dtype == model.dtype else torch.autocast(model.device.type, dtype)


def require_compute(compute: Compute, device: str) -> None:
    """Raises UserError where the device cannot compute in that type (or only by emulation)."""
    if compute == "bfloat16" and device == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError(f"compute is bfloat16, which {torch.cuda.get_device_name()} does not have: set it to float32")
