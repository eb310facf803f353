"""Low-rank adapters by PEFT. They lie in the model's own linear layers, where trainer and sampler both pass."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import torch

from reasonwright.models.settings import LoraSettings
from reasonwright.types import UserError


def require_peft() -> None:
    """Raises UserError where it is not installed."""
    if importlib.util.find_spec("peft") is None:
        raise UserError("adapters (lora) need PEFT: pip install 'reasonwright[lora]'")


def add_adapter(model: Any, settings: LoraSettings, seed: int) -> Any:
    """The model with a fresh adapter, which at first changes nothing, its own weights frozen.

    No dropout: it would make the trainer's log-probabilities differ from the sampler's.
    """
    require_peft()
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]  # PEFT divides it by the rank, whole or not
        target_modules=settings.target_modules or "all-linear",
        task_type="CAUSAL_LM",
    )
    if os.path.isdir(model.name_or_path):
        model.name_or_path = os.path.abspath(model.name_or_path)  # PEFT records it: found from wherever it is loaded
    head = model.get_output_embeddings()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(seed)
        warnings.simplefilter("ignore")  # GPT-2's layers keep their weights transposed: PEFT says so and sees to it
        try:
            adapted = get_peft_model(model, config)
        except ValueError as error:
            raise UserError(f"lora.target_modules: {error}") from error
    if adapted.get_output_embeddings() is not head:
        raise UserError("lora.target_modules: the head cannot have an adapter, as it may share the embedding's weights")
    return adapted


def has_adapter(model: Any) -> bool:
    return hasattr(model, "peft_config")


def without_adapter(model: Any) -> contextlib.AbstractContextManager[None]:
    """For as long as the context lasts, the model that its adapter was added to; one without is as it is."""
    return model.disable_adapter() if has_adapter(model) else contextlib.nullcontext()


def merged(model: Any) -> Any:
    """The plain model with the adapter added into its weights; `model` is used up."""
    return model.merge_and_unload() if has_adapter(model) else model


def restore_adapter(model: Any, folder: Path) -> None:
    """Give a model's adapter the weights in a PEFT folder. Raises RuntimeError where they are of another adapter."""
    from peft import load_peft_weights, set_peft_model_state_dict

    found: Any = set_peft_model_state_dict(model, load_peft_weights(str(folder), device=str(model.device)))
    if found.unexpected_keys or any("lora" in name for name in found.missing_keys):
        raise RuntimeError("the adapters are of different layers")


def load_adapter(base: Any, folder: Path) -> Any:
    """The base with the adapter of a PEFT folder merged into it."""
    require_peft()
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # what PEFT asks of transformers under an old name
        return merged(PeftModel.from_pretrained(base, folder))
