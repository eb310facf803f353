"""How much memory a stage takes at its peak, by part, from the model's config alone; and how much there is.

Weights, gradients and moments are counted. What a layer keeps for the backward pass is measured: on the model with one
layer and with two, whose difference is a layer's.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoModelForCausalLM

from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.attention import FAMILIES, packs_flat, prepare
from reasonwright.models.forward import batch_logprobs
from reasonwright.models.layers import checkpoint_layers, recompute_units
from reasonwright.models.load import load_config
from reasonwright.models.lora import add_adapter
from reasonwright.models.precision import compute_dtype, compute_in
from reasonwright.objectives.logprobs import CHUNK_ELEMENTS
from reasonwright.planner.stages import Work
from reasonwright.sampling.decoder import make_decoder
from reasonwright.sampling.native import MAX_ROWS, cache_room
from reasonwright.sampling.weights import LINEAR, copied_layers, packed_layers
from reasonwright.types import UserError

LOGITS_IN_TRAINING, LOGITS_IN_SAMPLING = 6, 8
"""Arrays as large as the logits that are there together: log-probabilities, entropy and their gradients; the float64
distribution that a token is drawn from."""
FRAGMENTS = 0.6
"""On a CPU, of what a micro-batch held and freed: what the C library does not give to the next one. Measured on a model
of 50 M parameters as 0.3 (all weights trained) to 1.1 (an adapter)."""
MEASURED = 256
"""Longest completion in the measurement of a layer."""
DTYPE = torch.float32

Parts = dict[str, int]
"""Bytes by what they are for."""


def peak(parts: Parts) -> int:
    """Sampling and training come one after the other; all else is there all the time."""
    stages = ("sampling", "packed"), ("activations", "casts", "logits", "fragments", "gradients")
    return sum(parts.values()) - min(sum(parts.get(name, 0) for name in names) for names in stages)


def memory(work: Work, config: Any, device: str, positions: int | None = None) -> Parts:
    """What a stage holds, with micro-batches of so many positions instead of the recipe's."""
    with torch.device("meta"):
        model = compute_in(
            AutoModelForCausalLM.from_config(config, dtype=DTYPE, trust_remote_code=work.trust), work.compute
        )
        head = model.get_output_embeddings()
        whole = sum(p.numel() for p in model.parameters())
        if work.lora and work.optim:
            model = add_adapter(model, work.lora, 0)
    size, V = DTYPE.itemsize, config.get_text_config().vocab_size
    casts = _computed(model, [m for m in model.modules() if isinstance(m, LINEAR)])
    casts = casts if compute_dtype(model) != DTYPE else 0
    parts = {"weights": size * sum(p.numel() for p in model.parameters())}
    if work.optim:
        one, fixed = _layer(work, config, device)
        trained = size * sum(p.numel() for p in model.parameters() if p.requires_grad)
        parts |= {"gradients": trained, "moments": 2 * trained}
        if work.reference and not work.lora:
            parts["reference"] = size * whole
        n = positions or work.micro_batch
        if work.optim.activation_checkpointing:
            kept = _layer(work, config, device, checkpoint_layers).bytes
        else:  # of torch.compile one cannot know before
            kept = one if work.optim.torch_compile else _layer(work, config, device, recompute_units).bytes
        # beside what is kept, the backward pass works on one layer
        parts["activations"] = int(n * (fixed + kept * config.get_text_config().num_hidden_layers + one))
        rows = min(n, max(1, CHUNK_ELEMENTS // V)) if config.model_type in FAMILIES else n
        passing = size + compute_dtype(model).itemsize if casts else size  # a gradient, before it is float32 as well
        passing_gradient = passing * head.weight.numel() if head.weight.requires_grad else 0
        parts["logits"] = LOGITS_IN_TRAINING * size * rows * V + passing_gradient
        if casts:
            parts["casts"] = casts  # autocast's, from a forward pass to its backward
        if device == "cpu":
            parts["fragments"] = int(FRAGMENTS * (parts["activations"] + parts["logits"]))
    if work.samples:
        most = min(MAX_ROWS, work.sequences)
        decoder = make_decoder(_small(work, config, 1, device))
        rows, _, cache = cache_room(config, decoder, most, work.group, work.prompt, work.completion + 1)
        parts |= {"cache": cache, "sampling": LOGITS_IN_SAMPLING * size * rows * V}
        packed = _computed(model, packed_layers(model, device))
        parts |= {"packed": packed} if packed else {}
        copies = _computed(model, copied_layers(model, device))
        parts |= {"copies": copies} if copies else {}
    return parts


def _computed(model: Any, layers: Sequence[torch.nn.Module]) -> int:
    """Bytes of the layers' own parameters in the type that the model computes in."""
    return compute_dtype(model).itemsize * sum(p.numel() for m in layers for p in m.parameters(recurse=False))


class _Layer(NamedTuple):
    bytes: float
    """Kept for a position by each layer …"""
    fixed: float
    """… and by all that is no layer."""


def _layer(work: Work, config: Any, device: str, change: Callable[[Any], None] = lambda _: None) -> _Layer:
    """Of a model whose layers were changed so."""
    groups = [
        [TokenSequence([token] * work.prompt, [1] * min(work.completion, MEASURED))] * min(2, work.group)
        for token in (1, 2)
    ]
    kept = []
    for layers in (1, 2):
        model = _small(work, config, layers, device)
        model = add_adapter(model, work.lora, 0) if work.lora else model
        change(model)
        sizes = []
        for completions in (groups[0], groups[0] + groups[1]):
            [batch] = pack(completions, [1.0] * len(completions), micro_batch_tokens=10**6, flat=packs_flat(model))
            sizes.append((_kept(model, batch.to(device)), batch.input_ids.numel()))
        (less, few), (more, many) = sizes
        kept.append((more - less) / (many - few))  # what does not grow with the positions is no activation
    return _Layer(kept[1] - kept[0], max(0.0, 2 * kept[0] - kept[1]))


def _small(work: Work, config: Any, layers: int, device: str) -> Any:
    """The model with so many layers and hardly a vocabulary, all zeros."""
    config = copy.deepcopy(config)
    config.num_hidden_layers, config.vocab_size, config.pad_token_id = layers, 8, None
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            config, attn_implementation="sdpa", dtype=DTYPE, trust_remote_code=work.trust
        )
    model = compute_in(prepare(model.to_empty(device=device)).eval(), work.compute)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.detach().zero_()
    return model


def _kept(model: Any, batch: Any) -> int:
    """Bytes that a forward pass keeps for the backward pass, weights left out."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    with _Made() as made:
        _graph = batch_logprobs(model, batch)  # for as long as it is there, so is what it keeps
    return sum(size for ref, (place, size) in made.arrays.items() if not ref.expired() and place not in weights)


class _Made(TorchDispatchMode):
    """The arrays that operations make or look at."""

    def __init__(self) -> None:
        super().__init__()
        self.arrays: dict[StorageWeakRef, tuple[int, int]] = {}
        """Address and bytes."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = operation(*args, **(kwargs or {}))
        for x in tree_leaves(made):
            if isinstance(x, torch.Tensor):
                storage = x.untyped_storage()
                self.arrays[StorageWeakRef(storage)] = storage.data_ptr(), storage.nbytes()
        return made


def fitting_micro_batch(work: Work, config: Any, device: str, free: int) -> int | None:
    """The largest micro_batch_tokens up to the recipe's with which the stage fits; None where none does."""
    assert work.optim is not None
    if peak(memory(work, config, device)) <= free:
        return work.optim.micro_batch_tokens
    fewest = min(work.positions, work.longest)
    low, high = (peak(memory(work, config, device, n)) for n in (fewest, work.micro_batch))
    if low > free or high == low:
        return None
    return fewest + int((work.micro_batch - fewest) * (free - low) / (high - low))  # it grows linearly


def free_memory(device: str) -> int:
    """Bytes that a process may still take: of the GPU, else of the machine and the container's limit."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    free: float = math.inf
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            free = 1024 * int(line.split()[1])
    limit, used = ("".join(_lines(f"/sys/fs/cgroup/memory.{name}")).strip() for name in ("max", "current"))
    if limit.isdigit():
        cached = sum(int(line.split()[1]) for line in _lines("/sys/fs/cgroup/memory.stat") if line.startswith("file "))
        free = min(free, int(limit) - int(used) + cached)
    return int(free) if free < math.inf else 2**62


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def check_fits(works: list[Work], device: str, free: int) -> None:
    """Raises UserError, naming the largest part and the mend, where a stage cannot fit in `free` bytes."""
    for work in works:
        config = load_config(work.model, trust_remote_code=work.trust)
        parts = memory(work, config, device)
        if peak(parts) <= free:
            continue
        largest = max(parts, key=lambda name: parts[name])
        raise UserError(
            f"stage {work.stage} needs about {gib(peak(parts))} and {gib(free)} are free ({largest} alone take "
            f"{gib(parts[largest])}): {_mend(work, config, device, free)}"
        )


def _mend(work: Work, config: Any, device: str, free: int) -> str:
    key = {"student": "distill"}.get(work.stage, work.stage)
    if not work.optim:
        return "take a smaller model or fewer max_tokens"
    fits = fitting_micro_batch(work, config, device, free)
    if fits:
        return f"set {key}.optim.micro_batch_tokens to {fits}"
    less = replace(work, optim=work.optim.model_copy(update={"activation_checkpointing": True}))
    fits = fitting_micro_batch(less, config, device, free)
    if fits:
        return f"set {key}.optim.activation_checkpointing to true and {key}.optim.micro_batch_tokens to {fits}"
    return f"train an adapter ({key}.lora.rank 16), or take a smaller model or shorter completions"


def gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
