"""A model's weights as sampling reads them fastest.

A token's products have few rows, so that their time is that of reading the weights. In bfloat16 autocast would cast the
weights for every token again: they are cast once. On a CPU the larger ones are also laid out as oneDNN's kernels read
them (1.3 to 4.6 times as fast as `F.linear` at the shape of Qwen2.5-0.5B, LOG.md).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from reasonwright.models.precision import compute_dtype

LINEAR = (torch.nn.Linear, Conv1D)
"""The second is GPT-2's linear layer, its weight transposed."""
PACKED_LEAST = 2**16
"""Elements of the smallest weight that is packed: the call itself costs 10 µs more."""
PACKED_ROWS = 128
"""The layout is chosen for products of so many rows. It is as fast with 8; what is chosen for 1 is not with more."""


def packed_layers(model: Any, device: str) -> list[torch.nn.Linear]:
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return []
    return [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m.weight.numel() >= PACKED_LEAST]


def copied_layers(model: Any, device: str) -> list[torch.nn.Module]:
    """Those whose weights are not packed, but cast."""
    packed = {id(layer) for layer in packed_layers(model, device)}
    cast = compute_dtype(model) != model.dtype
    return [m for m in model.modules() if isinstance(m, LINEAR) and cast and id(m) not in packed]


class SamplingWeights:
    """The weights of a model's linear layers (adapters' too) for as long as it samples. `parameters()` and
    `state_dict()` are the weights all the while."""

    def __init__(self, model: Any):
        self.dtype = compute_dtype(model)
        self.packed = packed_layers(model, model.device.type)
        self.copies = [
            (module, name, torch.empty_like(parameter, dtype=self.dtype, requires_grad=False))
            for module in copied_layers(model, model.device.type)
            for name, parameter in module.named_parameters(recurse=False)
        ]

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The layers compute with what the weights are now. Copies keep their places in memory from one time to the
        next; what is packed is given back, since training needs the room."""
        try:
            for module, name, copy in self.copies:
                with torch.no_grad():
                    copy.copy_(module._parameters[name])  # type: ignore[arg-type]
                vars(module)[name] = copy  # found before what nn.Module keeps under this name
            for layer in self.packed:
                vars(layer)["forward"] = _packed(layer, self.dtype)
            yield
        finally:
            for module, name, _ in self.copies:
                vars(module).pop(name, None)
            for layer in self.packed:
                vars(layer).pop("forward", None)


@torch.no_grad()
def _packed(layer: torch.nn.Linear, dtype: torch.dtype) -> Callable[[torch.Tensor], torch.Tensor]:
    """`layer`'s forward pass on packed weights."""
    weight = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach().to(dtype), PACKED_ROWS)
    bias = None if layer.bias is None else layer.bias.detach().to(dtype)
    linear = torch.ops.mkldnn._linear_pointwise.default
    return lambda x: linear(x.to(dtype), weight, bias, "none", [], "")
