"""Settings of SFT and GRPO. No torch in here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from reasonwright.models.settings import LoraSettings
from reasonwright.objectives.variants import VARIANTS
from reasonwright.settings import Settings


class OptimSettings(Settings):
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon: matrices between embedding and head by Muon (Jordan et al. 2024), the rest by AdamW; for training from
    nothing."""
    lr: float = Field(1e-5, gt=0)
    """Peak learning rate."""
    schedule: Literal["constant", "cosine", "wsd"] = "cosine"
    """After the warm-up: constant; half a cosine down to a tenth of the peak; or constant and in the last 40 % of the
    steps linearly to 0 (warm-up, stable, decay: Hu et al., arXiv:2404.06395)."""
    warmup_steps: int = Field(0, ge=0)
    """Steps of linear rise from 0."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled; on matrices only."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """AdamW's, as is beta2."""
    beta2: float = Field(0.95, ge=0, lt=1)
    max_grad_norm: float = Field(1.0, gt=0)
    """Gradients are scaled down to this global L2 norm."""
    micro_batch_tokens: int = Field(4096, ge=1)
    """Positions in one forward pass; a step's batch is split to fit (gradient accumulation), which changes nothing
    but memory."""
    activation_checkpointing: bool = False
    """Compute each layer's activations again in the backward pass instead of keeping them: about a quarter more time
    for a fraction of their memory, and the same results."""
    torch_compile: bool = False
    """Compile the layers (torch.compile): half a minute or more at the start, then somewhat faster training, with the
    same results up to rounding. Needs a C++ compiler on a CPU."""
    max_bad_steps: int = Field(5, ge=1)
    """Stop after so many steps in a row with a loss or gradient that is not finite."""


class SFTSettings(Settings):
    rows: int | None = Field(None, ge=1)
    """Training rows; all where null (a generator needs a number)."""
    epochs: int = Field(3, ge=1)
    batch_size: int = Field(32, ge=1)
    """Sequences an optimiser step."""
    loss_on: Literal["completion", "all"] = "completion"
    """completion: the sum runs over the tokens of the completion given the prompt, the article's formula. all: over the
    prompt's tokens too, its code snippet."""
    max_length: int = Field(1024, ge=2)
    """Tokens of prompt and completion; longer rows are left out and counted."""
    optim: OptimSettings = OptimSettings(lr=2e-5)
    lora: LoraSettings | None = None
    """Train an adapter instead of the weights; null: all weights. Of distillation, the student's."""
    eval_every: int = Field(0, ge=0)
    """Steps between measurements of the loss on held-out rows; 0: none."""
    eval_rows: int = Field(64, ge=1)
    """Held out of the training rows, where they are measured at all."""
    checkpoint_every: int = Field(100, ge=1)
    """Steps between checkpoints; a stopped run goes on from the newest."""
    checkpoints_kept: int = Field(2, ge=1)
    """The newest so many, and the best by evaluation where there is one."""

    @model_validator(mode="after")
    def _possible(self) -> SFTSettings:
        if self.eval_every and self.rows is not None and self.eval_rows >= self.rows:
            raise ValueError(f"eval_rows = {self.eval_rows} are held out of rows = {self.rows}, which leaves none")
        return self


class LossSettings(Settings):
    variant: str = "grpo"
    """A published set of the parameters below (`objectives/variants.py`): article, grpo, dr_grpo, dapo, gspo, cispo,
    rloo. A parameter given beside it takes precedence."""
    baseline: Literal["mean", "leave_one_out"]
    """Subtracted from a reward: the mean of its group, or of the group's others."""
    scale: Literal["std", "none"]
    """What advantages are divided by."""
    ratio: Literal["token", "sequence", "sequence_mean"]
    """pi / pi_old of each token, of the whole completion (the article), or its geometric mean per token (GSPO)."""
    clip: Literal["pessimistic", "detached"]
    """pessimistic: min(r A, clip(r) A), as in PPO. detached: the clipped ratio weighs A log pi (CISPO)."""
    epsilon_low: float = Field(ge=0)
    """The ratio is clipped below 1 - epsilon_low …"""
    epsilon_high: float = Field(ge=0)
    """… and above 1 + epsilon_high."""
    aggregate: Literal["completion", "token", "constant"]
    """Mean over each completion's tokens and then completions, over all tokens, or sum / (completions x max_tokens)."""
    dynamic_sampling: bool
    """Draw further problems until the step is full of groups that carry signal."""

    @model_validator(mode="before")
    @classmethod
    def _fill_from_variant(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        variant = values.get("variant", "grpo")
        if variant not in VARIANTS:
            raise ValueError(f"unknown variant {variant!r}; there are {', '.join(VARIANTS)}")
        return VARIANTS[variant] | {"variant": variant} | values


class KLSettings(Settings):
    place: Literal["reward", "loss", "none"] = "none"
    """reward: R - beta KL, summed over the completion (the article). loss: beta KL per token added to the loss (GRPO's
    paper). none: no reference model is kept."""
    beta: float = Field(0.04, ge=0)
    """Weight of the KL."""
    estimator: Literal["k1", "k2", "k3"] = "k3"
    """With d = log pi - log pi_ref of a sampled token: d, d^2 / 2, or e^-d + d - 1 (`objectives/kl.py`)."""


class RewardSettings(Settings):
    accuracy: float = 1.0
    """Weight of: 1 if the answer is right and the form strict, else 0."""
    format: float = 0.0
    """Weight of: 1 if the text has the form, whatever the answer."""
    length: float = 0.0
    """Weight of: share of max_tokens left unused."""
    functions: dict[str, float] = Field(default_factory=dict)
    """Own rewards by import path with their weights: {"my_package.rewards:brevity": 0.1}. A function gets
    (problem, completion) and returns a float."""


class GRPOSettings(Settings):
    steps: int = Field(100, ge=1)
    problems: int | None = Field(None, ge=1)
    """Size of the pool that steps draw from; all where null (a generator needs a number)."""
    problems_per_step: int = Field(32, ge=1)
    """Problems (groups) sampled in a step."""
    group_size: int = Field(8, ge=2)
    """G, completions a problem."""
    max_tokens: int = Field(512, ge=1)
    """Longest completion; what is longer is cut."""
    temperature: float = Field(1.0, gt=0)
    """Divides the logits, in sampling and in training alike."""
    top_p: float = 1.0
    """Refused in RL, as is top_k."""
    top_k: int = 0
    """Refused in RL, as is top_p."""
    updates_per_rollout: int = Field(1, ge=1)
    """Optimiser steps on one batch of rollouts (mu in DeepSeekMath, algorithm 1); more than 1 makes it off-policy."""
    truncated: Literal["wrong", "mask"] = "wrong"
    """Completions cut at max_tokens: scored as they are (no answer, so 0), or left out of the update (DAPO)."""
    dynamic_sampling_rounds: int = Field(3, ge=1)
    """With dynamic sampling: draws of further problems before a step goes on with what it has."""
    loss: LossSettings = Field(default_factory=lambda: LossSettings.model_validate({}))
    kl: KLSettings = KLSettings()
    reward: RewardSettings = RewardSettings()
    optim: OptimSettings = OptimSettings(lr=1e-6, schedule="constant")
    lora: LoraSettings | None = None
    """Train a fresh adapter on the model that SFT left (its own adapter merged), which is also the reference: no
    second model is kept. null: all weights."""
    eval_every: int = Field(0, ge=0)
    """Steps between greedy evaluations on held-out problems; 0: none."""
    eval_problems: int = Field(128, ge=1)
    """Held out of `problems`, where they are evaluated at all."""
    logged_groups: int = Field(2, ge=0)
    """Groups written to rollouts.jsonl each step."""
    checkpoint_every: int = Field(25, ge=1)
    """Steps between checkpoints; a stopped run goes on from the newest."""
    checkpoints_kept: int = Field(2, ge=1)
    """The newest so many, and the best by evaluation where there is one."""

    @field_validator("top_p", "top_k")
    @classmethod
    def _whole_distribution(cls, value: float, info: Any) -> float:
        if value != {"top_p": 1.0, "top_k": 0}[info.field_name]:
            raise ValueError(
                f"{info.field_name} is refused in RL: log-probabilities must be those of the distribution that was "
                "sampled; use temperature"
            )
        return value

    @model_validator(mode="after")
    def _possible(self) -> GRPOSettings:
        if self.eval_every and self.problems is not None and self.eval_problems >= self.problems:
            raise ValueError(
                f"eval_problems = {self.eval_problems} are held out of problems = {self.problems}, which leaves none"
            )
        if self.kl.place != "none" and self.kl.beta == 0:
            raise ValueError(f"kl.place is {self.kl.place!r} but kl.beta is 0: set kl.place to none")
        weights = [self.reward.accuracy, *self.reward.functions.values()]
        if all(w == 0 for w in weights):
            raise ValueError("no reward says whether a problem is solved: give reward.accuracy or a function a weight")
        return self
