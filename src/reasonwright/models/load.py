"""Models and tokenizers: from a hub id, a folder or the package; to a folder that plain transformers loads."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase

from reasonwright.models.attention import prepare
from reasonwright.models.lora import has_adapter, load_adapter, restore_adapter
from reasonwright.models.precision import compute_in
from reasonwright.models.resolve import ADAPTER, CONFIG, EMBEDDED, base_of, resolve_model
from reasonwright.models.settings import Compute
from reasonwright.types import UserError

__all__ = ["EMBEDDED", "load_config", "load_model", "load_tokenizer", "resolve_model", "restore_weights", "save_model"]


@contextlib.contextmanager
def _quiet():
    """transformers' own progress bars and advice have no place in our output."""
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)


def load_tokenizer(spec: str, *, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, see `resolve_model` and `load_model`."""
    source = resolve_model(spec)
    with _quiet(), _as_user_error(spec, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
    if not tokenizer.get_vocab().keys() - tokenizer.get_added_vocab().keys():  # what transformers makes of no files
        raise UserError(f"the tokenizer of {spec!r} cannot be loaded: there is no vocabulary")
    return tokenizer


def load_config(spec: str, *, trust_remote_code: bool = False) -> Any:
    """A model's config without its weights (of a PEFT folder, its base's), see `load_model`."""
    source = resolve_model(spec)
    if base := base_of(Path(source)):
        return load_config(base, trust_remote_code=trust_remote_code)
    with _quiet(), _as_user_error(spec, "config"):
        return AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)


def load_model(
    spec: str,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    compute: Compute = "float32",
    trust_remote_code: bool = False,
) -> Any:
    """The model in `dtype` (float32 masters by default) on `device`, with scaled-dot-product attention. `compute`:
    bfloat16, or as its weights are.

    Of a PEFT folder, the base with the adapter merged. Only safetensors; Python code from the model's folder is run
    only with `trust_remote_code`. Raises UserError where it cannot be loaded.
    """
    source = resolve_model(spec)
    base = base_of(Path(source))
    if base is not None:
        whole = load_model(base, device=device, dtype=dtype, trust_remote_code=trust_remote_code)
        with _as_user_error(spec, "adapter"):
            return compute_in(load_adapter(whole, Path(source)), compute)
    with _quiet(), _as_user_error(spec, "model"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=dtype,
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            ignore_mismatched_sizes=True,  # told below, by name
            output_loading_info=True,
        )
    model, info = loaded
    if info["missing_keys"] or info["mismatched_keys"]:
        missing = sorted([*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])])
        raise UserError(f"model {spec!r}: weights missing or of another shape: {', '.join(missing[:5])}")
    return compute_in(prepare(model).to(device), compute)


@contextlib.contextmanager
def _as_user_error(spec: str, what: str):
    try:
        yield
    except Exception as error:  # a broken file can break the libraries anywhere
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
        reason = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
        if not isinstance(error, (OSError, ValueError)):
            reason = f"{type(error).__name__}: {reason}"
        if "custom code" in reason:
            reason += " It is not run unless the recipe says `trust_remote_code: true`, or evaluate or chat are told "
            reason += "--trust-remote-code."
        raise UserError(f"the {what} of {spec!r} cannot be loaded: {reason}") from error


def restore_weights(model: Any, folder: Path) -> None:
    """Give a model the weights (of one with an adapter, the adapter's) that `save_model` wrote. Raises RuntimeError
    where they are another model's, UserError where they cannot be loaded."""
    if has_adapter(model) != (folder / ADAPTER).exists():
        raise RuntimeError("one has an adapter and the other has none")
    if has_adapter(model):
        restore_adapter(model, folder)
        return
    running = type(model).__module__.startswith("transformers_modules")  # the model's own code is already trusted
    saved = load_model(str(folder), device=model.device, dtype=model.dtype, trust_remote_code=running)
    model.load_state_dict(saved.state_dict())


def save_model(
    folder: Path, model: Any, tokenizer: PreTrainedTokenizerBase, stop_ids: Iterable[int], card: str
) -> None:
    """Write a folder in `save_pretrained` layout: weights, tokenizer, chat template, generation config, model card.
    Of a model with an adapter, the adapter alone in PEFT's layout.

    Written beside and moved in with config.json (adapter_config.json) last: a folder that has it is whole.
    """
    beside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    stops = sorted(stop_ids)
    model.generation_config = GenerationConfig(
        eos_token_id=stops,
        pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stops[0],
        bos_token_id=tokenizer.bos_token_id,
    )
    with _quiet():
        model.save_pretrained(beside)
        if has_adapter(model):
            model.generation_config.save_pretrained(beside)
        tokenizer.save_pretrained(beside)
    (beside / "README.md").write_text(card, encoding="utf-8")
    umask = os.umask(0)
    os.umask(umask)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, ADAPTER):
        (folder / name).unlink(missing_ok=True)
    for file in sorted(beside.iterdir(), key=lambda f: f.name in (CONFIG, ADAPTER)):
        file.chmod(0o666 & ~umask)  # safetensors writes 0600
        file.replace(folder / file.name)
    beside.rmdir()
