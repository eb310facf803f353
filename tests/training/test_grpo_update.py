"""From scored groups to the update: KL, advantages, old log-probabilities, metrics."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_step import gradient, group, grpo_settings, state, tiny_policy, weights

from reasonwright.models.load import load_model
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.training.grpo import update
from reasonwright.training.policy import Policy
from reasonwright.training.rollout import add_reference, assign_advantages, build_batches, is_informative, set_kl

GAP = 0.25
METRICS = ["loss", "lr", "grad_norm", "skipped", "tokens", "entropy", "clip_share", "kl", "ratio", "sampler_gap"]
METRICS += ["seconds/training"]


class Recording(Policy):
    """Keeps the metrics of every optimiser step."""

    def update(self, *args):
        self.history = [*getattr(self, "history", []), super().update(*args)]
        return self.history[-1]


def recording(**optim) -> Recording:
    policy = tiny_policy(**optim)
    return Recording(policy.model, policy.settings, policy.total_steps)


def prepared(policy, settings, groups=None):
    """Batches whose sampler log-probabilities lie GAP under the policy's own."""
    groups = groups or [group("a", [1, 0, 0, 1]), group("b", [0, 0, 1, 0])]
    batches = build_batches(groups, settings, groups)
    for batch, logprobs in zip(batches, policy.logprobs(batches, settings.temperature), strict=True):
        batch.sampler_logprobs = torch.where(batch.loss_mask, logprobs - GAP, 0.0)
    assign_advantages(groups, batches, settings)
    return batches


def test_one_update_takes_the_samplers_logprobs():
    policy, settings = recording(), grpo_settings()
    batches = prepared(policy, settings)
    metrics = update(policy, batches, settings)
    assert all(torch.equal(b.old_logprobs, b.sampler_logprobs) for b in batches)
    assert metrics["ratio"] == pytest.approx(math.exp(GAP), rel=1e-5)
    assert metrics["sampler_gap"] == pytest.approx(GAP, rel=1e-5)
    assert sorted(metrics) == sorted(METRICS)
    positive = sum(int((b.advantages[b.loss_mask] > 0).sum()) for b in batches)  # e^0.25 is beyond 1.2
    assert metrics["clip_share"] == pytest.approx(positive / metrics["tokens"])
    assert metrics["kl"] == 0.0


def test_several_updates_take_the_trainers_logprobs():
    policy, settings = recording(), grpo_settings(updates_per_rollout=2)
    batches = prepared(policy, settings)
    before = policy.logprobs(batches, settings.temperature)
    metrics = update(policy, batches, settings)
    for batch, old in zip(batches, before, strict=True):
        torch.testing.assert_close(batch.old_logprobs, old, rtol=0, atol=1e-6)
    first, second = policy.history
    assert first["ratio"] == pytest.approx(1.0, abs=1e-6)
    assert first["clip_share"] == 0.0
    assert abs(second["ratio"] - 1.0) > 1e-4
    assert metrics["ratio"] == second["ratio"]
    assert (metrics["loss"], metrics["grad_norm"]) == (first["loss"], first["grad_norm"])
    assert metrics["sampler_gap"] == pytest.approx(GAP, rel=1e-5)
    assert policy.steps == 2


def test_good_completions_become_likelier():
    policy, settings = tiny_policy(), grpo_settings()
    groups = [group("a", [1, 0, 0, 1]), group("b", [0, 0, 1, 0])]
    batches = prepared(policy, settings, groups)
    for batch in batches:
        batch.sampler_logprobs = batch.sampler_logprobs + GAP * batch.loss_mask
    before = policy.logprobs(batches, 0.7)
    update(policy, batches, settings)
    moved = [
        (a - b) * batch.advantages for a, b, batch in zip(policy.logprobs(batches, 0.7), before, batches, strict=True)
    ]
    assert sum(m.sum().item() for m in moved) > 0


def test_skipped_steps_are_summed():
    policy, settings = recording(), grpo_settings(updates_per_rollout=3)
    batches = prepared(policy, settings)
    before = weights(policy)
    batches[0].advantages[batches[0].loss_mask] = float("nan")
    assert update(policy, batches, settings)["skipped"] == 3.0
    assert torch.equal(weights(policy), before)


@pytest.mark.parametrize("updates", [1, 2])
def test_nothing_to_learn_from(updates):
    """No group with signal: no batch, no step, and metrics that can be logged."""
    policy, settings = tiny_policy(), grpo_settings(updates_per_rollout=updates)
    update(policy, prepared(policy, settings), settings)
    before = state(policy)
    assert build_batches([], settings, [group("wrong", [0, 0])]) == []
    metrics = update(policy, [], settings)
    assert (metrics["loss"], metrics["tokens"], metrics["skipped"]) == (0.0, 0.0, 0.0)
    assert all(torch.equal(a, b) for a, b in zip(state(policy), before, strict=True))


def test_all_completions_masked():
    """Every completion was cut: the loss is 0 and no weight moves."""
    policy, settings = tiny_policy(), grpo_settings(truncated="mask")
    before = weights(policy)
    metrics = update(policy, prepared(policy, settings, [group("a", [1, 0], cut=(0, 1))]), settings)
    assert (metrics["loss"], metrics["tokens"], metrics["skipped"]) == (0.0, 0.0, 0.0)
    assert torch.equal(weights(policy), before)


def test_signal_is_decided_on_the_outcome_alone():
    assert is_informative(group("a", [1, 0, 0, 0]))
    assert is_informative(group("a", [1, 0], values=[0.5, 0.5]))
    assert not is_informative(group("a", [0, 0, 0], values=[0.1, 0.2, 0.0]))
    assert not is_informative(group("a", [1, 1, 1]))


def test_kl_in_the_reward_by_hand():
    """R - beta KL with KL summed over the completion; rewards 1 0 1 0 and KL 2 0 4 6 give .8 0 .6 -.6."""
    settings = grpo_settings(kl={"place": "reward", "beta": 0.1})
    mixed, wrong = group("mixed", [1, 0, 1, 0]), group("wrong", [0, 0, 0, 0])
    for g in (mixed, wrong):
        for rollout, kl in zip(g.rollouts, (2.0, 0.0, 4.0, 6.0), strict=True):
            rollout.kl = kl
    batches = build_batches([mixed, wrong], settings, [mixed, wrong])
    assign_advantages([mixed, wrong], batches, settings)
    std = math.sqrt((0.6**2 + 0.2**2 + 0.4**2 + 0.8**2) / 4)
    expected = [0.6 / std, -0.2 / std, 0.4 / std, -0.8 / std]
    assert [r.advantage for r in mixed.rollouts] == pytest.approx(expected, abs=1e-6)
    assert [r.advantage for r in wrong.rollouts] == [0.0] * 4  # KL alone is no signal
    for batch in batches:
        for i, advantage in enumerate(expected + [0.0] * 4):
            assert batch.advantages[batch.sequence_ids == i].tolist() == pytest.approx(
                [advantage] * int((batch.sequence_ids == i).sum()), abs=1e-6
            )


def test_kl_elsewhere_leaves_the_reward_alone():
    settings = grpo_settings(kl={"place": "loss", "beta": 0.1})
    mixed = group("mixed", [1, 0, 1, 0])
    mixed.rollouts[0].kl = 5.0
    assign_advantages([mixed], [], settings)
    assert [r.advantage for r in mixed.rollouts] == [1.0, -1.0, 1.0, -1.0]


@pytest.mark.parametrize("estimator", ["k1", "k3"])
def test_set_kl_sums_over_the_completion(estimator):
    settings = grpo_settings()
    groups = [group("a", [1, 0, 0, 1]), group("b", [0, 0, 1, 0])]
    batches = build_batches(groups, settings, groups)
    for batch in batches:
        batch.ref_logprobs = batch.sampler_logprobs - 0.5  # on padding and prompts too, where it must not count
    set_kl(groups, batches, estimator)
    per_token = {"k1": 0.5, "k3": math.exp(-0.5) + 0.5 - 1}[estimator]
    for g in groups:
        for rollout in g.rollouts:
            assert rollout.kl == pytest.approx(per_token * len(rollout.completion.token_ids), rel=1e-5)


def test_the_reference_is_asked_at_the_sampling_temperature():
    """At step 0 it is the policy: the KL is 0, whichever way the rows lie."""
    policy = recording()
    settings = grpo_settings(kl={"place": "loss", "beta": 0.5})
    batches = prepared(policy, settings)
    add_reference(batches, load_model("embedded:tiny", dtype=torch.float64), settings.temperature)
    assert update(policy, batches, settings)["kl"] == pytest.approx(0.0, abs=1e-9)
    assert update(policy, batches, settings)["kl"] > 1e-6  # the policy has moved, the reference has not


@pytest.mark.parametrize("aggregate", ["completion", "token", "constant"])
def test_dropping_groups_without_signal_changes_nothing(aggregate):
    settings = grpo_settings(loss={"aggregate": aggregate}, optim={"micro_batch_tokens": 30, "max_grad_norm": 1e9})
    groups = [group("a", [1, 0, 0, 1]), group("wrong", [0, 0, 0, 0]), group("b", [0, 0, 1, 0]), group("right", [1] * 4)]
    results = []
    for kept in (groups, [g for g in groups if is_informative(g)]):
        policy = tiny_policy(max_grad_norm=1e9)
        batches = build_batches(kept, settings, groups)
        assign_advantages(kept, batches, settings)
        results.append((update(policy, batches, settings)["loss"], gradient(policy)))
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    assert results[0][1].abs().max() > 1e-3
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-7)


def test_truncated_completions():
    """wrong: trained on like the others. mask: none of their tokens is, and they still count in the normaliser."""
    g = group("a", [1, 0, 0, 1], cut=(1, 3))
    lengths = [len(r.completion.token_ids) for r in g.rollouts]
    for handling, trained in (("wrong", {0, 1, 2, 3}), ("mask", {0, 2})):
        batches = build_batches([g], grpo_settings(truncated=handling), [g])
        assert {i for b in batches for i in b.sequence_ids[b.loss_mask].tolist()} == trained
        for i in trained:
            assert sum(b.weights[b.sequence_ids == i].sum().item() for b in batches) == pytest.approx(1 / 4)
        assert sum(int(b.loss_mask.sum()) for b in batches) == sum(lengths[i] for i in trained)


def test_kl_in_the_loss_pulls_towards_the_reference():
    """With advantages of zero the update is the KL term's alone."""
    policy = tiny_policy()
    settings = grpo_settings(kl={"place": "loss", "beta": 1.0})
    batches = prepared(policy, settings)
    add_reference(batches, policy.model, settings.temperature)
    policy.update(batches, sft_loss, settings.temperature)  # away from the reference
    for batch in batches:
        batch.advantages = torch.zeros_like(batch.weights)
    kls = [update(policy, batches, settings)["kl"] for _ in range(6)]
    assert kls[-1] < kls[0] / 2
