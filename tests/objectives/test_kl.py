from __future__ import annotations

import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st

from reasonwright.objectives.kl import kl_estimate

ESTIMATORS = ("k1", "k2", "k3")
logprobs = st.floats(-12, 0)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(logprobs, logprobs)
def test_equals_the_definition(estimator, policy, ref):
    got = kl_estimate(torch.tensor([policy]).double(), torch.tensor([ref]).double(), estimator)
    policy, ref = float(torch.tensor(policy)), float(torch.tensor(ref))  # as rounded to float32
    assert got.item() == pytest.approx(reference.kl(policy, ref, estimator), rel=1e-9, abs=1e-9)


@given(st.floats(-300, 0, width=32), st.floats(-300, 0, width=32))
def test_k3_is_never_negative(policy, ref):
    assert kl_estimate(torch.tensor([policy]), torch.tensor([ref]), "k3").item() >= -1e-12


@pytest.mark.parametrize("d", [1e-2, 1e-3, 1e-4, -1e-4, -1e-3])
def test_k3_is_exact_where_training_is(d):
    """d^2/2 - d^3/6 near 0; e^-d + d - 1 as it is written has errors of 1e-7 in float32, more than the value itself."""
    got = kl_estimate(torch.tensor([d]), torch.tensor([0.0]), "k3").item()
    assert got == pytest.approx(d**2 / 2 - d**3 / 6, rel=1e-3)


def test_expectations_under_the_policy():
    """Summed over all tokens of a small vocabulary rather than sampled."""
    policy = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64)
    ref = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    exact = sum(p * (p / q).log() for p, q in zip(policy, ref, strict=True)).item()
    mean = {name: (policy * kl_estimate(policy.log(), ref.log(), name)).sum().item() for name in ESTIMATORS}
    assert exact > 0.03
    assert mean["k1"] == pytest.approx(exact, rel=1e-12)
    assert mean["k3"] == pytest.approx(exact, rel=1e-12)
    assert mean["k2"] == pytest.approx(exact, rel=0.1)
    assert mean["k2"] != pytest.approx(exact, rel=1e-3)  # biased


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("gap", [200.0, -200.0])
def test_no_overflow(estimator, gap):
    """e^200 is infinite in float32."""
    policy = torch.tensor([-1.0], requires_grad=True)
    value = kl_estimate(policy, torch.tensor([-1.0 - gap]), estimator)
    value.sum().backward()
    assert value.isfinite().all()
    assert policy.grad.isfinite().all()


def test_unknown_estimator():
    with pytest.raises(ValueError, match="k4"):
        kl_estimate(torch.zeros(1), torch.zeros(1), "k4")
