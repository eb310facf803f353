from __future__ import annotations

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from reasonwright.objectives import logprobs as module
from reasonwright.objectives.logprobs import chunked_logprobs, selected_logprobs

N, H, V = 23, 8, 17


def problem():
    torch.manual_seed(0)
    weight = torch.randn(V, H) / H**0.5
    return torch.randn(N, H, requires_grad=True), weight.requires_grad_(), torch.randint(V, (N,))


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.5])
def test_by_the_definition(temperature):
    hidden, weight, targets = problem()
    logits = (hidden @ weight.T).detach() * 4
    logprobs, entropy = selected_logprobs(logits, targets, temperature)
    for row, target, logprob, h in zip(logits.tolist(), targets, logprobs, entropy, strict=True):
        total = math.fsum(math.exp(x / temperature) for x in row)
        probs = [math.exp(x / temperature) / total for x in row]
        assert logprob.item() == pytest.approx(math.log(probs[target]), abs=1e-5)
        assert h.item() == pytest.approx(-math.fsum(p * math.log(p) for p in probs), abs=1e-5)


@pytest.mark.parametrize("rows", [1, 5, 22])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_chunks_change_nothing(monkeypatch, rows, frozen, half):
    """Value, entropy, and the gradient by hidden states and head, in float32 and under autocast."""

    def run(chunked=True):
        hidden, weight, targets = problem()
        weight.requires_grad_(not frozen)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            if chunked:
                logprobs, entropy = chunked_logprobs(hidden, weight, targets, 0.8)
            else:
                logprobs, entropy = selected_logprobs(torch.nn.functional.linear(hidden, weight), targets, 0.8)
        (logprobs * torch.linspace(-1, 1, N)).sum().backward()
        assert weight.grad is None or weight.grad.dtype == torch.float32
        return [logprobs.detach(), entropy, hidden.grad, *([] if frozen else [weight.grad])]

    tolerance = {"rtol": 1e-2, "atol": 5e-3} if half else {"rtol": 1e-5, "atol": 1e-6}
    expected = run(chunked=False)
    torch.testing.assert_close(run(), expected, **tolerance)  # one chunk holds all
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", rows * V + 1)
    got = run()
    torch.testing.assert_close(got[:2], expected[:2], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(got, expected, **tolerance)


def test_many_chunks_in_bfloat16_lose_nothing(monkeypatch):
    """The gradient of the weight is summed in float32: 2,000 equal summands, of which bfloat16 would lose most."""
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", V)
    hidden, weight = torch.ones(2000, H), torch.zeros(V, H, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        logprobs, _ = chunked_logprobs(hidden, weight, torch.zeros(2000, dtype=torch.long))
    logprobs.sum().backward()
    assert weight.grad[0].tolist() == pytest.approx([2000 * (1 - 1 / V)] * H, rel=5e-3)


class Shapes(TorchDispatchMode):
    """Of the matrices that operations make."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.ndim == 2:
            self.seen.add(tuple(made.shape))
        return made


def test_no_more_logits_than_a_chunk(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 5 * V)
    hidden, weight, targets = problem()
    with Shapes() as shapes:
        logprobs, entropy = chunked_logprobs(hidden, weight, targets)
        assert len(logprobs) == len(entropy) == N
        logprobs.sum().backward()
    assert {rows for rows, columns in shapes.seen if columns == V} == {5, N % 5, H}  # H: the weight, transposed


def test_huge_logits():
    """No overflow; 1e-4 is the spacing of float32 at 1000."""
    logits = torch.tensor([[1000.0, 0.0], [-1000.0, -1000.0]])
    logprobs, entropy = selected_logprobs(logits, torch.tensor([1, 0]))
    assert logprobs.tolist() == pytest.approx([-1000.0, -math.log(2)], abs=1e-4)
    assert entropy.tolist() == pytest.approx([0.0, math.log(2)], abs=1e-4)
