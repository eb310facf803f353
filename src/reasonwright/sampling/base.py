"""What a sampler is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reasonwright.types import Completion


@dataclass(frozen=True, slots=True)
class SamplingParams:
    n: int = 1
    """Completions a prompt."""
    max_tokens: int = 512
    temperature: float = 1.0
    """0 is greedy; log-probabilities are then those at temperature 1."""
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    seed: int = 0
    stop: tuple[str, ...] = ()
    """Texts at which a completion ends; the text is cut before them, the token ids are not."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    prompt_ids: Sequence[int]
    key: str
    """Names the prompt in the random stream; usually the problem's id. A completion's random numbers depend on
    (seed, key, index in the group) alone, never on what else is in the batch."""


class Sampler(Protocol):
    def sample(self, requests: Sequence[SampleRequest], params: SamplingParams) -> list[list[Completion]]:
        """`params.n` completions for each request, in order of the requests."""
        ...
