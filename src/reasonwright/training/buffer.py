"""One step's rollouts on their way through the updates: all that a checkpoint between two of them must hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from reasonwright.runlog import finite
from reasonwright.training.checkpoint import State
from reasonwright.types import Batch, Segment


@dataclass
class RolloutBuffer:
    batches: list[Batch]
    """Packed, with advantages, and from the first update on with `old_logprobs`."""
    metrics: dict[str, Any]
    """Of the rollouts."""
    rows: list[dict[str, Any]]
    """Of rollouts.jsonl."""
    watched: dict[str, Any] | None
    """Of microscope.jsonl, where the step is watched: what is known before the update."""
    completions: int
    """How many were sampled, those of dropped groups included."""
    seconds: dict[str, float]
    """Spent so far: sampling, scoring, training."""
    updates: list[dict[str, Any]] = field(default_factory=list)
    """The metrics of the updates that were done: their number is the position in the buffer."""

    def state(self, step: int) -> State:
        """For a checkpoint after `step` whole steps."""
        record = {name: value for name, value in vars(self).items() if name != "batches"}
        tensors = {
            f"{i}/{name}": (torch.tensor(value) if name == "segments" else value).contiguous().clone()
            for i, batch in enumerate(self.batches)
            for name in Batch.__slots__
            if (value := getattr(batch, name)) is not None
        }
        return State(step, {"buffer": finite(record)}, tensors)

    @classmethod
    def restored(cls, state: State) -> RolloutBuffer | None:
        """The buffer in a checkpoint, or None where it was committed at the end of a step."""
        if state.buffer is None:
            return None
        parts: dict[int, dict[str, Any]] = {}
        for key, tensor in state.buffer.items():
            i, _, name = key.partition("/")
            value = [Segment(*row) for row in tensor.tolist()] if name == "segments" else tensor
            parts.setdefault(int(i), {})[name] = value
        return cls(batches=[Batch(**parts[i]) for i in sorted(parts)], **state.extra["buffer"])
