"""A model ready to be asked."""

from __future__ import annotations

from typing import Any

from reasonwright.chat import ChatFormat
from reasonwright.models.device import pick_device
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.models.precision import require_compute
from reasonwright.models.settings import LoadOptions


def open_model(spec: str, options: LoadOptions) -> tuple[Any, ChatFormat]:
    """A model, see `load_model`, with the chat format of its tokenizer. Raises UserError where either cannot be had as
    asked for."""
    device = pick_device(options.device)
    require_compute(options.compute, device)
    trust = options.trust_remote_code
    model = load_model(spec, device=device, compute=options.compute, trust_remote_code=trust)
    return model, ChatFormat(load_tokenizer(spec, trust_remote_code=trust))
