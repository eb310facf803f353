"""Settings of models. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from reasonwright.settings import Settings

Compute = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a model is loaded, whichever it is."""

    device: str = "auto"
    compute: Compute = "float32"
    """What it computes in; its weights are float32."""
    trust_remote_code: bool = False


class LoraSettings(Settings):
    """Train a low-rank adapter (Hu et al., arXiv:2106.09685) instead of the weights, which stay as they are.

    The best learning rate is about 10 times that of full fine-tuning, in SFT and RL alike, and hardly depends on the
    rank; all linear layers should have an adapter, and RL needs little rank (Schulman et al., "LoRA without regret",
    2025). So 1e-5 in GRPO where full fine-tuning takes 1e-6.
    """

    rank: int = Field(32, ge=1)
    """Of each update: W + alpha / rank B A."""
    alpha: float = Field(32.0, gt=0)
    """Scale of the updates, before the division by the rank."""
    target_modules: list[str] | None = Field(None, min_length=1)
    """Names of the layers that get an adapter, such as [q_proj, v_proj]; null: all linear layers of attention and
    MLP."""
    save: Literal["merged", "adapter"] = "merged"
    """merged: a model folder like any other. adapter: a PEFT folder, small, that needs its base beside it."""
