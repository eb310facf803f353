"""Which device a run is on."""

from __future__ import annotations

import torch

from reasonwright.types import UserError


def pick_device(name: str) -> str:
    """ "auto" is the GPU where there is one. Raises UserError where "cuda" is asked for and there is none."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("device is cuda, but torch sees no GPU here: set device to cpu or auto")
    return name
