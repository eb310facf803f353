from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from reasonwright.training.optim import learning_rate, make_optimizer
from reasonwright.training.settings import OptimSettings


def rates(total: int, **settings) -> list[float]:
    chosen = OptimSettings.model_validate({"lr": 2.0, **settings})
    return [learning_rate(step, total, chosen) for step in range(total)]


def test_warm_up_is_linear_and_never_zero():
    assert rates(6, schedule="constant", warmup_steps=4) == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_constant():
    assert rates(3, schedule="constant") == [2.0] * 3


def test_cosine_falls_from_the_peak_to_a_tenth():
    got = rates(1000, schedule="cosine", warmup_steps=10)
    assert got[9] == got[10] == 2.0
    assert all(a > b for a, b in pairwise(got[10:]))
    assert got[10 + 495] == pytest.approx(1.1)  # half-way between 2 and 0.2
    assert got[-1] == pytest.approx(0.2, abs=1e-4)
    assert got[10 + 330] == pytest.approx(0.2 + 1.8 * (1 + math.cos(math.pi / 3)) / 2)


def test_short_runs():
    assert rates(1, schedule="cosine") == [2.0]
    assert rates(2, schedule="cosine", warmup_steps=5) == [0.4, 0.8]


def test_weight_decay_on_matrices_alone():
    """With gradients of zero only the decay moves a weight: by lr x decay of itself."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    model[1].weight.requires_grad_(False)
    optimizer = make_optimizer(model, OptimSettings(lr=0.1, weight_decay=0.5))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.detach(), before[name] * (0.95 if name == "0.weight" else 1.0))
    trained = [p for g in optimizer.param_groups for p in g["params"]]
    assert len(trained) == 3
    assert all(g["betas"] == (0.9, 0.95) for g in optimizer.param_groups)
