"""The nouns of the system. Every stage speaks in these; no logic lives here.

Axes, used in names and docstrings throughout: P problems, G completions of one problem (a group), C tokens of one
completion, B rows of a batch, T token positions of a row, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:  # the tasks and the verifier must stay importable without torch
    import torch

AnswerKind = Literal["number", "text", "latex", "code"]
FinishReason = Literal["stop", "length"]


class UserError(Exception):
    """A mistake the user can mend: one sentence that names the place and the mend. The command line prints it and
    exits with status 2; everything else keeps its traceback."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A question with a known answer."""

    id: str
    """Unique within its task and stable across runs: "word_problems/9f2c41d0a7b3"."""
    question: str
    """What the user asks: "What is 15% of 80?"."""
    answer: str
    """The gold answer as text: "12", "3/4", "-0.5"; LaTeX, free text or tests by `answer_kind`."""
    solution: str | None = None
    """A worked solution without tags and without the final sentence: "80 x 0.15 = 12."."""
    completion: str | None = None
    """The whole target text of an SFT row where its author wrote one; it is then trained on as it is."""
    difficulty: int | None = None
    """Number of reasoning steps, where known: 3."""
    answer_kind: AnswerKind = "number"
    """How the verifier compares: exact rational value, normalised text, math-verify, or tests run in a sandbox."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Whatever the task wants to keep; nothing in the pipeline reads it."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the policy wrote after one prompt. Trained on exactly as sampled: text is never tokenised again."""

    token_ids: list[int]
    """[C] sampled ids, with the stop token when finish_reason is "stop": [51, 9, 2]."""
    logprobs: list[float]
    """[C] log-probability of each sampled id under the distribution it was drawn from (temperature applied), nats."""
    text: str
    """The ids decoded, stop token left out: "<think>\\n8 x 2 = 16\\n</think>\\n\\nThe answer is 16."."""
    finish_reason: FinishReason
    """"stop": the model ended its turn. "length": cut at max_tokens."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verifier's judgement of one completion."""

    strict: bool
    """The answer is right and the text has the whole form: one thought first, then `The answer is N.`"""
    lenient: bool
    """The answer is right, wherever after the thought it stands."""
    extracted: str | None
    """The answer as it was written, or None where there is none: "1,000"."""


@dataclass(frozen=True, slots=True)
class Reward:
    """One completion's score."""

    value: float
    """Sum of the parts by weight, before any KL: 1.0."""
    outcome: float
    """The part of `value` that says whether the problem was solved (accuracy and own functions, no shaping, no KL).
    A group whose outcomes are all equal carries no signal."""
    parts: Mapping[str, float]
    """Each part before its weight: {"accuracy": 1.0, "format": 1.0, "length": 0.4}."""
    verdict: Verdict


@dataclass(slots=True)
class Rollout:
    """One completion of a group on its way to the update."""

    completion: Completion
    reward: Reward
    kl: float = 0.0
    """KL from the reference summed over the completion's tokens, nats; 0 where no KL enters the reward."""
    advantage: float = 0.0
    """Group-relative advantage: +1.0. Set by the objective."""


@dataclass(slots=True)
class RolloutGroup:
    """G completions of one problem. The group is this object, never a position in a list."""

    problem: Problem
    prompt_ids: list[int]
    """[P_tokens] the prompt exactly as it was sampled from."""
    rollouts: list[Rollout]
    """[G]"""


class Segment(NamedTuple):
    """`length` positions of a row from `start`: they see themselves causally and, whole, the prefix that they continue
    (a group's prompt, laid once), where there is one."""

    start: int
    length: int
    prefix_start: int = 0
    prefix_length: int = 0


@dataclass(slots=True)
class Batch:
    """Packed token rows, ready for the model. Sequences lie one behind another in a row; attention stays inside each.

    Every [B, T] tensor but the inputs is aligned with the *target*: position t describes `targets[b, t]`, the token
    that follows `input_ids[b, t]`. The shift happens once, in `data/packing.py`.
    """

    input_ids: torch.Tensor
    """[B, T] int64."""
    position_ids: torch.Tensor
    """[B, T] int64, from 0 in each sequence (from the prefix's length where it continues one)."""
    segment_ids: torch.Tensor
    """[B, T] int64, 1, 2, … within a row; 0 is padding."""
    targets: torch.Tensor
    """[B, T] int64; 0 where `loss_mask` is False."""
    loss_mask: torch.Tensor
    """[B, T] bool: the targets that are trained on."""
    sequence_ids: torch.Tensor
    """[B, T] int64 index into the sequences the batch was built from: 0 … N-1; -1 on padding and shared prefixes."""
    weights: torch.Tensor
    """[B, T] float32: each target's share in the loss, normalised over the *global* batch, so that losses of
    micro-batches add up."""
    advantages: torch.Tensor | None = None
    """[B, T] float32, the completion's advantage on each of its tokens (RL only)."""
    sampler_logprobs: torch.Tensor | None = None
    """[B, T] float32 from the sampler (RL only)."""
    ref_logprobs: torch.Tensor | None = None
    """[B, T] float32 under the frozen reference (RL with KL only)."""
    old_logprobs: torch.Tensor | None = None
    """[B, T] float32 under the policy that sampled, the denominator of the ratio (RL only)."""
    segments: list[Segment] | None = None
    """What the one row of a flat batch consists of; None where rows are padded and attention needs a mask."""

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        moved: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            moved[name] = value if value is None or name == "segments" else value.to(device)
        return Batch(**moved)


@dataclass(frozen=True, slots=True)
class LossOutput:
    """What an objective returns for one micro-batch."""

    loss: torch.Tensor
    """[] scalar with its graph; a sum over tokens of weight x loss, so micro-batches add up."""
    metrics: dict[str, float]
    """Sums over the trained tokens, with their number under "tokens", so that they too add up over micro-batches."""


@dataclass(frozen=True, slots=True)
class EvalResult:
    """One model on one task in one prompt mode."""

    model: str
    """What was evaluated: "runs/demo/sft"."""
    task: str
    """"word_problems"."""
    mode: str
    """Prompt mode: "chat", "direct" or "cot"."""
    n: int
    """Number of problems."""
    accuracy: float
    """Strict, 0 … 1."""
    accuracy_lenient: float
    """0 … 1."""
    ci95: tuple[float, float]
    """Wilson interval of the strict accuracy."""
    ci95_lenient: tuple[float, float]
    mean_tokens: float
    """Mean length of a completion in tokens."""
    truncated: float
    """Share of completions cut at max_tokens."""
    seconds: float
    by_difficulty: dict[str, dict[str, Any]]
    """{"3": {"n": 125, "accuracy": 0.6, "accuracy_lenient": 0.62, "ci95": (0.51, 0.68), "mean_tokens": 80.2}}."""
    by_length: dict[str, dict[str, Any]]
    """The same by the thought's length in tokens: {"33-64": {…}}; answers without a thought are in no bin."""
