"""Every variant against the slow reference: the value, the gradient, the metrics."""

from __future__ import annotations

import pytest
import reference
import torch
from samples import batches_of, collected, placed, random_samples

from reasonwright.data.packing import TokenSequence, pack
from reasonwright.objectives.policy_loss import importance_ratio, policy_loss
from reasonwright.objectives.variants import VARIANTS

NUM_COMPLETIONS, MAX_TOKENS = 16, 8  # four completions were left out for want of signal
BETA = 0.3
LOSS_KEYS = ("ratio", "clip", "epsilon_low", "epsilon_high")
KINDS = VARIANTS | {
    "gspo_wide": VARIANTS["gspo"] | {"epsilon_low": 0.15, "epsilon_high": 0.25},
    "cispo_sequence": VARIANTS["cispo"] | {"ratio": "sequence_mean", "epsilon_low": 0.1, "epsilon_high": 0.2},
}


def run(samples, logprobs, variant, estimator):
    """Summed over micro-batches: metrics with the loss, and the gradient by each log-probability."""
    batches = batches_of(samples, variant["aggregate"], num_completions=NUM_COMPLETIONS, max_tokens=MAX_TOKENS)
    assert len(batches) > 1
    total, gradients = dict.fromkeys(("loss", "tokens", "clip_share", "ratio", "kl"), 0.0), []
    for batch in batches:
        inputs = placed(batch, samples, logprobs).requires_grad_()
        kl = {"kl_beta": BETA, "kl_estimator": estimator} if estimator else {}
        out = policy_loss(inputs, batch, **{key: variant[key] for key in LOSS_KEYS}, **kl)
        out.loss.backward()
        gradients.append(inputs.grad)
        for key, value in (out.metrics | {"loss": out.loss.item()}).items():
            total[key] += value
    return batches, total, gradients


def slow(samples, logprobs, variant, estimator, frozen=None):
    return reference.policy_loss(
        samples,
        logprobs,
        variant,
        kl_beta=BETA if estimator else 0.0,
        kl_estimator=estimator,
        num_completions=NUM_COMPLETIONS,
        max_tokens=MAX_TOKENS,
        frozen=frozen,
    )


@pytest.mark.parametrize("estimator", [None, "k1", "k2", "k3"])
@pytest.mark.parametrize("variant", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_value_gradient_and_metrics(variant, estimator, seed):
    samples, logprobs = random_samples(seed)
    batches, got, gradients = run(samples, logprobs, variant, estimator)
    expected = slow(samples, logprobs, variant, estimator)
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-7)  # the weights are float32
    assert 0 < expected["clip_share"] < expected["tokens"]
    numeric = reference.gradient(
        lambda moved: slow(samples, moved, variant, estimator, frozen=logprobs)["loss"], logprobs
    )
    for ours, theirs in zip(collected(batches, samples, gradients), numeric, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-7)


def test_the_samples_reach_every_side_of_the_clip():
    """Otherwise the test above could not tell one variant from another."""
    for seed in (1, 2):
        samples, logprobs = random_samples(seed)
        cases = {
            (s.advantage > 0, "high" if r > 1.2 else "low" if r < 0.8 else "inside")
            for s, new in zip(samples, logprobs, strict=True)
            for r in reference.ratios(new, s.old, "token")
            if s.trained
        }
        assert len(cases) == 6
        top = max(r for s, new in zip(samples, logprobs, strict=True) for r in reference.ratios(new, s.old, "token"))
        assert top > 1 + VARIANTS["cispo"]["epsilon_high"]
        assert not all(s.trained for s in samples)


def test_detached_gradient_is_the_clipped_ratio_times_the_advantage():
    """CISPO: d loss / d log pi_t = -w_t min(r_t, 6) A_t, for clipped tokens too."""
    samples, logprobs = random_samples(3)
    batches, _, gradients = run(samples, logprobs, VARIANTS["cispo"], None)
    tokens = sum(len(s.completion) for s in samples if s.trained)
    got = collected(batches, samples, gradients)
    for sample, new, gradient in zip(samples, logprobs, got, strict=True):
        each = reference.ratios(new, sample.old, "token")
        expected = [-min(r, 6.0) * sample.advantage / tokens * sample.trained for r in each]
        assert gradient == pytest.approx(expected, rel=1e-6)


def test_untrained_tokens_get_no_gradient():
    samples, logprobs = random_samples(4)
    for estimator in (None, "k3"):
        batches, _, gradients = run(samples, logprobs, VARIANTS["article"], estimator)
        for batch, gradient in zip(batches, gradients, strict=True):
            assert (gradient[~batch.loss_mask] == 0).all()
            assert (gradient[batch.loss_mask] != 0).any()


def test_clip_share_counts_tokens_where_the_clip_acts():
    """A ratio of 1.5 or 0.5 is clipped only in the direction that the advantage pushes."""
    ratios, advantages = [1.5, 1.5, 0.5, 0.5, 1.1, 1.5], [1.0, -1.0, 1.0, -1.0, 1.0, 0.0]
    sequences = [TokenSequence([1], [2]) for _ in ratios]
    [batch] = pack(sequences, [1.0] * 6, micro_batch_tokens=64)
    batch.advantages = torch.tensor(advantages).unsqueeze(1)
    batch.old_logprobs = torch.full((6, 1), -1.0)
    out = policy_loss(torch.tensor(ratios).log().unsqueeze(1) - 1.0, batch)
    assert out.metrics["clip_share"] == 2
    assert out.loss.item() == pytest.approx(-(1.2 - 1.5 + 0.5 - 0.8 + 1.1 + 0))


def test_clip_higher_moves_the_upper_bound_alone():
    sequences = [TokenSequence([1], [2]), TokenSequence([1], [2])]
    [batch] = pack(sequences, [1.0, 1.0], micro_batch_tokens=64)
    batch.advantages = torch.tensor([[1.0], [-1.0]])
    batch.old_logprobs = torch.full((2, 1), -1.0)
    logprobs = torch.tensor([[2.0], [0.1]]).log() - 1.0
    assert policy_loss(logprobs, batch, epsilon_low=0.2, epsilon_high=0.28).loss.item() == pytest.approx(-1.28 + 0.8)


@pytest.mark.parametrize("level", ["token", "sequence", "sequence_mean"])
def test_a_huge_log_ratio_does_not_overflow(level):
    [batch] = pack([TokenSequence([1], [2, 3])], [0.5], micro_batch_tokens=64)
    batch.advantages = torch.tensor([[-1.0, -1.0]])
    batch.old_logprobs = torch.full((1, 2), -200.0)
    logprobs = torch.full((1, 2), -0.1, requires_grad=True)
    out = policy_loss(logprobs, batch, ratio=level)
    out.loss.backward()
    assert out.loss.isfinite()
    assert logprobs.grad.isfinite().all()


def test_without_a_reference_no_kl_is_reported():
    [batch] = pack([TokenSequence([1], [2, 3])], [0.5], micro_batch_tokens=64)
    batch.advantages = torch.ones(1, 2)
    batch.old_logprobs = torch.full((1, 2), -1.0)
    assert policy_loss(torch.full((1, 2), -2.0), batch).metrics["kl"] == 0.0


def test_unknown_parameters():
    [batch] = pack([TokenSequence([1], [2])], [1.0], micro_batch_tokens=64)
    batch.advantages = batch.old_logprobs = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="unknown clip 'soft'"):
        policy_loss(torch.zeros(1, 1), batch, clip="soft")
    with pytest.raises(ValueError, match="unknown ratio level 'word'"):
        importance_ratio(torch.zeros(1, 1), batch, "word")
