"""One optimiser step: what moves the weights, and what must not."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny_step import gradient, sft_batches, state, tiny_policy, weights

from reasonwright.models.forward import batch_logprobs
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.training.optim import learning_rate
from reasonwright.types import LossOutput, UserError


def nan_loss(logprobs, batch):
    out = sft_loss(logprobs, batch)
    return dataclasses.replace(out, loss=out.loss * float("nan"))


def infinite_loss(logprobs, batch):
    """With the right gradient."""
    out = sft_loss(logprobs, batch)
    return dataclasses.replace(out, loss=out.loss + float("inf"))


def nan_gradient(logprobs, batch):
    """With a finite loss: the derivative of the root is infinite at 0."""
    out = sft_loss(logprobs, batch)
    return dataclasses.replace(out, loss=out.loss + (logprobs * 0).sum().sqrt())


def plain_gradient(policy, batches) -> torch.Tensor:
    for batch in batches:
        sft_loss(batch_logprobs(policy.model, batch)[0], batch).loss.backward()
    flat = torch.cat([p.grad.flatten() for p in policy.model.parameters()])
    policy.model.zero_grad(set_to_none=True)
    return flat


def test_training_lowers_the_loss():
    policy = tiny_policy(lr=1e-2)
    losses = [policy.update(sft_batches(), sft_loss)["loss"] for _ in range(15)]
    assert losses[-1] < losses[0] / 2


def test_first_step_by_hand():
    """AdamW's first step moves each weight against its gradient g by lr g / (|g| + eps)."""
    policy = tiny_policy(max_grad_norm=1e9, warmup_steps=4)
    before, g = weights(policy), plain_gradient(policy, sft_batches())
    metrics = policy.update(sft_batches(), sft_loss)
    lr = learning_rate(0, 100, policy.settings)
    assert lr == metrics["lr"] == 1e-3 / 4
    torch.testing.assert_close(weights(policy), before - lr * g / (g.abs() + 1e-8), rtol=1e-6, atol=1e-9)
    assert metrics["grad_norm"] == pytest.approx(g.norm().item(), rel=1e-6)


def test_gradients_do_not_pile_up_over_steps():
    policy = tiny_policy(lr=1e-12, max_grad_norm=1e9)
    norms = [policy.update(sft_batches(), sft_loss)["grad_norm"] for _ in range(3)]
    assert norms == pytest.approx([norms[0]] * 3, rel=1e-6)


def test_gradient_clipping():
    policy = tiny_policy(max_grad_norm=0.01)
    g = plain_gradient(policy, sft_batches())
    metrics = policy.update(sft_batches(), sft_loss)
    assert g.norm() > 0.1
    assert metrics["grad_norm"] == pytest.approx(g.norm().item(), rel=1e-6)  # reported before clipping
    torch.testing.assert_close(gradient(policy), g * 0.01 / g.norm(), rtol=1e-4, atol=1e-9)


def test_micro_batches_change_nothing():
    results = []
    for budget in (1, 30, 1000):
        policy = tiny_policy()
        metrics = policy.update(sft_batches(budget), sft_loss)
        results.append((metrics, gradient(policy)))
    assert len({len(sft_batches(budget)) for budget in (1, 30, 1000)}) == 3
    for metrics, g in results[1:]:
        assert metrics == pytest.approx(results[0][0], rel=1e-5)
        torch.testing.assert_close(g, results[0][1], rtol=1e-5, atol=1e-7)


def test_metrics_are_means_over_trained_tokens():
    policy = tiny_policy()
    expected = [batch_logprobs(policy.model, batch, 0.7) for batch in sft_batches()]
    tokens = sum(int(batch.loss_mask.sum()) for batch in sft_batches())
    metrics = policy.update(sft_batches(), sft_loss, 0.7)
    nll = -sum(logprobs.sum().item() for logprobs, _ in expected) / tokens
    assert metrics["tokens"] == tokens
    assert metrics["loss"] == pytest.approx(nll, rel=1e-5)
    assert metrics["nll"] == pytest.approx(nll, rel=1e-5)
    assert metrics["entropy"] == pytest.approx(sum(e.item() for _, e in expected) / tokens, rel=1e-5)
    assert metrics["skipped"] == 0.0


def test_logprobs_are_those_of_the_current_weights():
    policy = tiny_policy()
    before = policy.logprobs(sft_batches(), 0.7)
    policy.update(sft_batches(), sft_loss)
    after = policy.logprobs(sft_batches(), 0.7)
    assert sum(map(torch.sum, after)) > sum(map(torch.sum, before))
    for got, batch in zip(after, sft_batches(), strict=True):
        torch.testing.assert_close(got, batch_logprobs(policy.model, batch, 0.7)[0].detach())
        assert not got.requires_grad


@pytest.mark.parametrize("bad", [nan_loss, infinite_loss, nan_gradient])
def test_a_step_that_is_not_finite_touches_nothing(bad):
    policy = tiny_policy()
    policy.update(sft_batches(), sft_loss)
    before = state(policy)
    metrics = policy.update(sft_batches(), bad)
    assert metrics["skipped"] == 1.0
    assert all(torch.equal(a, b) for a, b in zip(state(policy), before, strict=True))
    assert all(p.grad is None for p in policy.model.parameters())
    assert (policy.steps, policy.bad_steps) == (2, 1)


def test_one_bad_micro_batch_spoils_the_step():
    policy = tiny_policy()
    policy.update(sft_batches(), sft_loss)
    before, seen = state(policy), []

    def first_is_bad(logprobs, batch) -> LossOutput:
        seen.append(batch)
        return (nan_loss if len(seen) == 1 else sft_loss)(logprobs, batch)

    assert policy.update(sft_batches(), first_is_bad)["skipped"] == 1.0
    assert len(seen) > 1
    assert all(torch.equal(a, b) for a, b in zip(state(policy), before, strict=True))


def test_stops_after_several_bad_steps_in_a_row():
    policy = tiny_policy(max_bad_steps=3)
    batches = sft_batches()
    for _ in range(2):
        policy.update(batches, nan_loss)
    policy.update(batches, sft_loss)  # a good one starts the count again
    before = weights(policy)
    for _ in range(2):
        assert policy.update(batches, nan_loss)["skipped"] == 1.0
    with pytest.raises(UserError, match="not finite in 3 steps in a row"):
        policy.update(batches, nan_loss)
    assert torch.equal(weights(policy), before)


def test_no_batches_no_step():
    """A step whose groups all lack signal."""
    policy = tiny_policy(weight_decay=0.1)
    policy.update(sft_batches(), sft_loss)
    before = state(policy)
    metrics = policy.update([], sft_loss)
    assert all(torch.equal(a, b) for a, b in zip(state(policy), before, strict=True))
    assert (metrics["loss"], metrics["tokens"], metrics["grad_norm"], metrics["skipped"]) == (0.0, 0.0, 0.0, 0.0)
    assert policy.steps == 2
