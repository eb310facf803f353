from __future__ import annotations

import math

import pytest
import torch

from reasonwright.objectives import logprobs as module
from reasonwright.objectives.logprobs import chunked_logprobs, selected_logprobs

N, H, V = 23, 8, 17


def problem(bias: bool = False):
    torch.manual_seed(0)
    head = torch.nn.Linear(H, V, bias=bias)
    return torch.randn(N, H, requires_grad=True), head, torch.randint(V, (N,))


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.5])
def test_by_the_definition(temperature):
    hidden, head, targets = problem()
    logits = head(hidden).detach() * 4
    logprobs, entropy = selected_logprobs(logits, targets, temperature)
    for row, target, logprob, h in zip(logits.tolist(), targets, logprobs, entropy, strict=True):
        total = math.fsum(math.exp(x / temperature) for x in row)
        probs = [math.exp(x / temperature) / total for x in row]
        assert logprob.item() == pytest.approx(math.log(probs[target]), abs=1e-5)
        assert h.item() == pytest.approx(-math.fsum(p * math.log(p) for p in probs), abs=1e-5)


@pytest.mark.parametrize("rows", [1, 5, 22])
@pytest.mark.parametrize("bias", [False, True])
def test_chunks_change_nothing(monkeypatch, rows, bias):
    """Value, entropy, and the gradient by hidden states and head."""

    def run(chunked=True):
        hidden, head, targets = problem(bias)
        if chunked:
            logprobs, entropy = chunked_logprobs(hidden, head, targets, 0.8)
        else:
            logprobs, entropy = selected_logprobs(head(hidden), targets, 0.8)
        (logprobs * torch.linspace(-1, 1, N)).sum().backward()
        return [logprobs.detach(), entropy, hidden.grad, *(p.grad for p in head.parameters())]

    expected = run(chunked=False)
    torch.testing.assert_close(run(), expected, rtol=1e-5, atol=1e-6)  # one chunk holds all
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", rows * V + 1)
    torch.testing.assert_close(run(), expected, rtol=1e-5, atol=1e-6)


def test_no_more_logits_than_a_chunk(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 5 * V)
    hidden, head, targets = problem()
    sizes = []
    head.register_forward_hook(lambda _module, _inputs, output: sizes.append(output.numel()))
    logprobs, entropy = chunked_logprobs(hidden, head, targets)
    assert len(logprobs) == len(entropy) == N
    assert max(sizes) == 5 * V
    assert sum(sizes) == N * V
    logprobs.sum().backward()
    assert max(sizes) == 5 * V


def test_huge_logits():
    """No overflow; 1e-4 is the spacing of float32 at 1000."""
    logits = torch.tensor([[1000.0, 0.0], [-1000.0, -1000.0]])
    logprobs, entropy = selected_logprobs(logits, torch.tensor([1, 0]))
    assert logprobs.tolist() == pytest.approx([-1000.0, -math.log(2)], abs=1e-4)
    assert entropy.tolist() == pytest.approx([0.0, math.log(2)], abs=1e-4)
