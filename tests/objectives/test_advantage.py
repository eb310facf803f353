from __future__ import annotations

import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st

from reasonwright.objectives.advantage import group_advantages

KINDS = [(baseline, scale) for baseline in ("mean", "leave_one_out") for scale in ("std", "none")]


@pytest.mark.parametrize(("baseline", "scale"), KINDS)
@given(st.lists(st.integers(-8, 8), min_size=2, max_size=9).filter(lambda rewards: len(set(rewards)) > 1))
def test_equals_the_definition(baseline, scale, rewards):
    got = group_advantages(torch.tensor(rewards, dtype=torch.float64), baseline=baseline, scale=scale)
    assert got.tolist() == pytest.approx(reference.advantages(rewards, baseline, scale), abs=1e-12)


def test_leave_one_out_by_hand():
    """3 against the mean of 0 and 1, and so on."""
    got = group_advantages(torch.tensor([3.0, 0.0, 1.0]), baseline="leave_one_out", scale="none")
    assert got.tolist() == pytest.approx([2.5, -2.0, -0.5])


@pytest.mark.parametrize(("baseline", "scale"), KINDS)
@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, -0.3, 1e-8, 1e8])
@pytest.mark.parametrize("G", [2, 3, 7, 10])
def test_no_variance_no_advantage(baseline, scale, value, G):
    """0.1 is not the mean of ten 0.1s in float32: divided by a standard deviation of the same rounding that is +-1."""
    for dtype in (torch.float32, torch.float64):
        got = group_advantages(torch.full((G,), value, dtype=dtype), baseline=baseline, scale=scale)
        assert got.tolist() == [0.0] * G


def test_leave_one_out_needs_another():
    with pytest.raises(ValueError, match="at least 2"):
        group_advantages(torch.tensor([1.0]), baseline="leave_one_out")


def test_one_completion_has_no_advantage():
    assert group_advantages(torch.tensor([1.0])).tolist() == [0.0]
