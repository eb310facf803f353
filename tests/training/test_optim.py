from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from reasonwright.training.optim import learning_rate, make_optimizer
from reasonwright.training.settings import OptimSettings
from toy import fresh_model


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


def test_wsd_is_constant_then_falls_to_nothing_in_the_last_two_fifths():
    got = rates(1000, schedule="wsd", warmup_steps=10)
    assert got[:2] == [0.2, 0.4]
    assert got[9:601] == [2.0] * 592
    assert got[800] == pytest.approx(1.0)
    assert got[999] == pytest.approx(2.0 / 400)
    assert rates(3, schedule="wsd", warmup_steps=0)[0] == 2.0


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


def test_muon_turns_hidden_matrices_and_leaves_the_rest_to_adamw():
    """A Muon step moves a matrix along all its directions alike, 0.2 sqrt(larger side) of them (Liu et al., 2025,
    section 2.2), whatever the gradient's size; embeddings and vectors move as AdamW moves them."""
    model = fresh_model()
    settings = OptimSettings(optimizer="muon", lr=0.01)
    optimizer = make_optimizer(model, settings)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    generator = torch.Generator().manual_seed(1)
    for i, p in enumerate(model.parameters()):
        p.grad = torch.randn(p.shape, generator=generator) * 10.0 ** (i % 5 - 3)
    optimizer.step()
    turned = 0
    for name, p in model.named_parameters():
        moved = (p.detach() - before[name]) / -0.01
        if p.ndim == 2 and "embed" not in name:
            values = torch.linalg.svdvals(moved) / (0.2 * max(p.shape) ** 0.5)
            assert 0.6 < values.min() <= values.max() < 1.3, name  # five Newton-Schulz steps are no exact polar factor
            turned += 1
        else:
            torch.testing.assert_close(moved, p.grad / (p.grad.abs() + 1e-8), atol=1e-3, rtol=0)  # its first step
    assert turned == 2 * 7
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(before)
    assert len(optimizer.state) == len(before)
