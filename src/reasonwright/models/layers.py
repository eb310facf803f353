"""What may be done with a model's layers in training: compute them twice to save memory, or compile them.

Both act where gradients are wanted; sampling, the reference and evaluation run the layers as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface
from transformers.modeling_layers import GradientCheckpointingLayer

from reasonwright.models.attention import NAME, segment_attention
from reasonwright.types import UserError

Forward = Callable[..., Any]


def checkpoint_layers(model: Any) -> None:
    """Keep each layer's input alone and compute the layer again in the backward pass (Chen et al., arXiv:1604.06174).

    transformers' own switch acts in training mode alone, in which a trained policy never is.
    """

    def twice(forward: Forward) -> Forward:
        return lambda *args, **kwargs: checkpoint(
            forward, *args, use_reentrant=False, preserve_rng_state=False, **kwargs
        )

    _with_gradients(model, twice)


def compile_layers(model: Any) -> None:
    """Compile the layers for rows of any length; what lies in segments is attended to as before."""
    AttentionInterface.register(NAME, torch.compiler.disable(segment_attention))  # each row has blocks of its own
    _with_gradients(model, lambda forward: torch.compile(forward, dynamic=True))


def require_compiler() -> None:
    """Raises UserError where torch.compile has nothing to compile with."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise UserError(
            "optim.torch_compile needs a C++ compiler, and there is none: install g++ (or set CXX), or set it to false"
        ) from None


def _with_gradients(model: Any, change: Callable[[Forward], Forward]) -> None:
    """Change the forward pass of each layer for when gradients are wanted."""

    def chosen(plain: Forward, changed: Forward) -> Forward:
        return lambda *args, **kwargs: (changed if torch.is_grad_enabled() else plain)(*args, **kwargs)

    for layer in model.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.forward = chosen(layer.forward, change(layer.forward))
