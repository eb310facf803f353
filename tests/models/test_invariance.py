"""The loss and its gradient do not depend on how a step's sequences are laid out."""

from __future__ import annotations

import dataclasses
import random

import pytest
import torch
from tiny import random_groups, random_sequences, tiny_qwen3

from reasonwright.data.packing import TokenSequence, pack, token_weights
from reasonwright.models.forward import batch_logprobs
from reasonwright.objectives.policy_loss import policy_loss
from reasonwright.objectives.sft_loss import sft_loss
from reasonwright.types import Batch

LAYOUTS = ("budget 1", "budget 30", "budget 1000", "reversed", "shuffled", "padded", "a row each")
FLAT = ("flat 1", "flat 30", "flat 1000")


def widened(batch: Batch, by: int) -> Batch:
    """The batch with so many columns of padding behind it."""

    def pad(tensor, value):
        return None if tensor is None else torch.nn.functional.pad(tensor, (0, by), value=value)

    fields = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
    return Batch(**{name: pad(tensor, -1 if name == "sequence_ids" else 0) for name, tensor in fields.items()})


def step(model, batches, loss) -> tuple[float, torch.Tensor]:
    """The summed loss and the gradient of all parameters."""
    model.zero_grad(set_to_none=True)
    total = 0.0
    for batch in batches:
        out = loss(batch_logprobs(model, batch, 0.9)[0], batch)
        out.loss.backward()
        total += out.loss.item()
    return total, torch.cat([p.grad.flatten() for p in model.parameters()])


def laid_out(layout: str, sequences, weights, **kwargs):
    """Micro-batches in this layout, and the index of each of their sequences in `sequences`."""
    order = list(range(len(sequences)))
    if layout == "reversed":
        order.reverse()
    if layout == "shuffled":
        random.Random(3).shuffle(order)
    budget = int(layout.split()[1]) if layout.startswith(("budget", "flat")) else 40
    kwargs["flat"] = layout.startswith("flat")
    kwargs["join"] = layout != "a row each"
    batches = pack([sequences[i] for i in order], [weights[i] for i in order], micro_batch_tokens=budget, **kwargs)
    return [widened(b, 5) for b in batches] if layout == "padded" else batches, torch.tensor(order)


def alone(sequences, weights, **kwargs):
    """Every sequence as a batch of its own: no packing, no padding."""
    return [pack([s], [w], micro_batch_tokens=1, **kwargs)[0] for s, w in zip(sequences, weights, strict=True)]


def assert_same(got, expected):
    assert got[0] == pytest.approx(expected[0], rel=1e-5, abs=1e-6)
    assert expected[1].abs().max() > 1e-2
    torch.testing.assert_close(got[1], expected[1], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("loss_on", ["completion", "all"])
@pytest.mark.parametrize("draw", [random_sequences, random_groups])
def test_sft(draw, loss_on):
    model, sequences = tiny_qwen3(), draw(1)
    weights = token_weights(sequences, aggregate="token", loss_on=loss_on)
    expected = step(model, alone(sequences, weights, loss_on=loss_on), sft_loss)
    for layout in LAYOUTS + FLAT:
        batches, _ = laid_out(layout, sequences, weights, loss_on=loss_on)
        assert_same(step(model, batches, sft_loss), expected)


def test_sft_is_the_mean_over_tokens_of_plain_transformers():
    """The gradient too, from logits of an ordinary forward pass, without a line of ours."""
    model, sequences = tiny_qwen3(), random_sequences(1)
    weights = token_weights(sequences, aggregate="token")
    got = step(model, laid_out("shuffled", sequences, weights)[0], sft_loss)
    model.zero_grad(set_to_none=True)
    total = sum(len(s.completion_ids) for s in sequences)
    loss = 0.0
    for s in sequences:
        logits = model(input_ids=torch.tensor([[*s.prompt_ids, *s.completion_ids]])).logits[0] / 0.9
        start = len(s.prompt_ids) - 1
        for t, token in enumerate(s.completion_ids):
            loss = loss - torch.log_softmax(logits[start + t], -1)[token] / total
    loss.backward()
    assert_same(got, (loss.item(), torch.cat([p.grad.flatten() for p in model.parameters()])))


@pytest.mark.parametrize("aggregate", ["completion", "token", "constant"])
@pytest.mark.parametrize("ratio", ["token", "sequence", "sequence_mean"])
def test_policy_loss(aggregate, ratio):
    model = tiny_qwen3()
    drawn = [*random_groups(5), *random_sequences(5, 2)]
    sequences = [TokenSequence(s.prompt_ids, s.completion_ids, train=i != 2) for i, s in enumerate(drawn)]
    weights = token_weights(sequences, aggregate=aggregate, num_completions=12, max_tokens=10)
    torch.manual_seed(1)
    advantages = torch.randn(len(sequences))
    drift = [torch.randn(len(s.completion_ids)) * 0.2 for s in sequences]

    def prepared(batches, sources):
        """With the advantages and old log-probabilities of the sequences that these batches were built from."""
        for batch, source in zip(batches, sources, strict=True):
            batch.advantages = advantages[source][batch.sequence_ids.clamp(min=0)]
            with torch.no_grad():
                batch.old_logprobs, _ = batch_logprobs(model, batch, 0.9)
            for place, i in enumerate(source.tolist()):
                at = (batch.sequence_ids == place) & batch.loss_mask
                if at.any():
                    batch.old_logprobs[at] += drift[i]
            batch.ref_logprobs = batch.old_logprobs * 0.9
        return batches

    def loss(logprobs, batch):
        return policy_loss(logprobs, batch, ratio=ratio, kl_beta=0.1)

    expected = step(model, prepared(alone(sequences, weights), [torch.tensor([i]) for i in range(len(drawn))]), loss)
    for layout in LAYOUTS + FLAT:
        batches, order = laid_out(layout, sequences, weights)
        assert_same(step(model, prepared(batches, [order] * len(batches)), loss), expected)
