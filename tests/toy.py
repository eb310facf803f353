"""Small things to train: a model from nothing, and eight sums that it can learn by heart."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch

from reasonwright.chat import ChatFormat
from reasonwright.models.embedded_config import make_model
from reasonwright.models.load import load_tokenizer
from reasonwright.training.checkpoint import Checkpoints
from reasonwright.training.policy import Policy
from reasonwright.training.settings import SFTSettings
from reasonwright.types import Problem

PAIRS = ((2, 3), (4, 5), (10, 1), (7, 6), (3, 9), (8, 8), (12, 5), (20, 4))
SUMS = [
    Problem(f"toy/{i}", f"What is {a} + {b}?", str(a + b), f"{a} + {b} = {a + b}.") for i, (a, b) in enumerate(PAIRS)
]


@cache
def toy_chat() -> ChatFormat:
    """The embedded models' tokenizer: 1,024 tokens."""
    return ChatFormat(load_tokenizer("embedded:tiny"))


def fresh_model():
    """Random weights, the same each time."""
    torch.manual_seed(0)
    chat = toy_chat()
    return make_model("tiny", len(chat.tokenizer), chat.end_id)


def weights(model) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def without_times(row: dict) -> dict:
    return {k: v for k, v in row.items() if not k.startswith(("seconds", "tokens_per_s"))}


def numbered(folder: Path, kept: int = 2, every: int = 1, total: int = 1000) -> Checkpoints:
    """Checkpoints of a policy that has not begun."""
    settings = SFTSettings(checkpoint_every=every, checkpoints_kept=kept)
    policy = Policy(fresh_model(), settings.optim, total_steps=total)
    return Checkpoints(folder, policy, toy_chat(), settings, total, lambda: False)


def fill(policy: Policy, step: int) -> None:
    """Every weight and moment says which step it is of."""
    with torch.no_grad():
        for p in policy.model.parameters():
            p.fill_(step / 1000)
            policy.optimizer.state[p] = {
                "step": torch.tensor(float(step)), "exp_avg": p.detach() * 2, "exp_avg_sq": p.detach() * 3
            }  # fmt: skip
    policy.steps = step


def write_task(folder: Path) -> Path:
    """The sums as a task `jsonl:FOLDER`, with four others to evaluate on."""
    folder.mkdir(parents=True, exist_ok=True)
    train = [{"question": p.question, "answer": p.answer, "solution": p.solution} for p in SUMS]
    test = [{"question": f"What is {a} + 2?", "answer": str(a + 2)} for a in (1, 6, 9, 30)]
    for name, rows in (("train", train), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder
