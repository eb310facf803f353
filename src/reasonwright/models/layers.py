"""What is done with a model's layers in training: compute them, or what is cheap of them, twice to save memory, or
compile them.

They act where gradients are wanted; sampling, the reference and evaluation run the layers as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface
from transformers.modeling_layers import GradientCheckpointingLayer

from reasonwright.models.attention import FAMILIES, NAME, segment_attention
from reasonwright.types import UserError

Forward = Callable[..., Any]


def checkpoint_layers(model: Any) -> None:
    """Keep each layer's input alone and compute the layer again in the backward pass (Chen et al., arXiv:1604.06174).

    transformers' own switch acts in training mode alone, in which a trained policy never is.
    """
    for layer in _layers(model):
        twice = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
        _with_gradients(layer, twice)


def recompute_units(model: Any) -> None:
    """Keep of a layer's gated unit, down(act(gate) * up), only gate and up, and compute what is between again
    (selective recomputation: Korthikanti et al., arXiv:2205.05198): a third less is kept, for hardly any time."""
    if model.config.model_type in FAMILIES:
        for layer in _layers(model):
            _with_gradients(layer.mlp, partial(_recomputed, layer.mlp))


def _recomputed(unit: Any, x: torch.Tensor) -> torch.Tensor:
    gate, up = unit.gate_proj(x), unit.up_proj(x)
    g, u = gate.detach(), up.detach()
    again: dict[int, Callable[[], torch.Tensor]] = {}
    """By the address of an array, how it is made."""

    def pack(saved: torch.Tensor) -> Any:
        make = again.get(saved.untyped_storage().data_ptr())
        return (make, saved.shape) if make else saved

    def unpack(packed: Any) -> torch.Tensor:
        return packed if isinstance(packed, torch.Tensor) else packed[0]().view(packed[1])

    with saved_tensors_hooks(pack, unpack):
        active = unit.act_fn(gate)
        again[active.untyped_storage().data_ptr()] = lambda: unit.act_fn(g)
        product = active * up
        again[product.untyped_storage().data_ptr()] = lambda: unit.act_fn(g) * u
        return unit.down_proj(product)


def compile_layers(model: Any) -> None:
    """Compile the layers for rows of any length; what lies in segments is attended to as before."""
    AttentionInterface.register(NAME, torch.compiler.disable(segment_attention))  # each row has blocks of its own
    for layer in _layers(model):
        _with_gradients(layer, torch.compile(layer.forward, dynamic=True))


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


def _with_gradients(module: Any, changed: Forward) -> None:
    """The module's forward pass for when gradients are wanted."""
    plain = module.forward
    module.forward = lambda *args, **kwargs: (changed if torch.is_grad_enabled() else plain)(*args, **kwargs)


def _layers(model: Any) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
