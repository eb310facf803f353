"""A packed batch gives each sequence what plain transformers gives it alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny import VOCABULARY, random_groups, random_sequences, tiny_qwen3

from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.attention import packs_flat, prepare
from reasonwright.models.forward import batch_logprobs, block_causal_mask
from reasonwright.objectives import logprobs as logprobs_module
from toy_models import FAST, toy_model


def packed_logprobs(model, sequences, loss_on="all", temperature=1.0, micro_batch_tokens=36, flat=False):
    """Each sequence's log-probabilities [C], and the entropy of all."""
    result, total = [None] * len(sequences), 0.0
    weights = [1.0] * len(sequences)
    for batch in pack(sequences, weights, micro_batch_tokens=micro_batch_tokens, loss_on=loss_on, flat=flat):
        logprobs, entropy = batch_logprobs(model, batch, temperature)
        total += entropy.item()
        for i in set(batch.sequence_ids[batch.sequence_ids >= 0].tolist()):
            result[i] = logprobs[(batch.sequence_ids == i) & batch.loss_mask]
    return result, total


def plain_logprobs(model, sequence, temperature):
    """[n - 1] of every token but the first, and the entropy, from an ordinary forward pass."""
    ids = torch.tensor([[*sequence.prompt_ids, *sequence.completion_ids]])
    table = torch.log_softmax(model(input_ids=ids).logits[0, :-1] / temperature, dim=-1)
    picked = torch.stack([table[t, token] for t, token in enumerate(ids[0, 1:])])
    return picked, float(-(table.exp() * table).sum())


@pytest.mark.parametrize("temperature", [1.0, 0.6])
@torch.no_grad()
def test_packed_equals_plain(temperature):
    model, sequences = tiny_qwen3(), random_sequences(1)
    got, entropy = packed_logprobs(model, sequences, temperature=temperature)
    expected = [plain_logprobs(model, s, temperature) for s in sequences]
    for ours, (theirs, _) in zip(got, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=2e-6)  # the last step is float32
    assert entropy == pytest.approx(sum(h for _, h in expected), rel=1e-5)
    completions, _ = packed_logprobs(model, sequences, loss_on="completion", temperature=temperature)
    for ours, (theirs, _), sequence in zip(completions, expected, sequences, strict=True):
        torch.testing.assert_close(ours.double(), theirs[len(sequence.prompt_ids) - 1 :], rtol=0, atol=2e-6)


@pytest.mark.parametrize("budget", [1, 24, 1000])
@torch.no_grad()
def test_flat_equals_plain(budget):
    """Completions that share a prompt, with it computed once, in one micro-batch and cut over several."""
    model, sequences = tiny_qwen3(), random_groups(1)
    got, entropy = packed_logprobs(model, sequences, "completion", 0.7, budget, flat=True)
    expected = [plain_logprobs(model, s, 0.7)[0] for s in sequences]
    for ours, theirs, sequence in zip(got, expected, sequences, strict=True):
        torch.testing.assert_close(ours.double(), theirs[len(sequence.prompt_ids) - 1 :], rtol=0, atol=2e-6)
    _, same_entropy = packed_logprobs(model, sequences, "completion", 0.7)
    assert entropy == pytest.approx(same_entropy, rel=1e-6)
    alone, _ = packed_logprobs(model, sequences, "all", 0.7, budget, flat=True)
    for ours, theirs in zip(alone, expected, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", FAST)
@torch.no_grad()
def test_every_family_flat(kind):
    model, sequences = prepare(toy_model(kind).double()), random_groups(2)
    got, _ = packed_logprobs(model, sequences, "completion", flat=True)
    for ours, sequence in zip(got, sequences, strict=True):
        theirs, _ = plain_logprobs(model, sequence, 1.0)
        torch.testing.assert_close(ours.double(), theirs[len(sequence.prompt_ids) - 1 :], rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ["mistral window", "gpt2", "gemma3"])
def test_other_families_are_not_packed_flat(kind):
    model = prepare(toy_model(kind))
    assert not packs_flat(model)
    with pytest.raises(AssertionError):
        packed_logprobs(model, random_groups(2), "completion", flat=True)


@torch.no_grad()
def test_rows_are_shared_and_padded():
    """What the other tests rely on."""
    batches = pack(random_sequences(1), [1.0] * 9, micro_batch_tokens=36)
    assert len(batches) > 1
    assert max(int(b.segment_ids.max()) for b in batches) >= 2
    assert any((b.segment_ids == 0).any() for b in batches)


@torch.no_grad()
def test_neighbours_do_not_see_each_other():
    model, sequences = tiny_qwen3(), random_sequences(2)
    before, _ = packed_logprobs(model, sequences)
    for i, sequence in enumerate(sequences):
        other = [(token + 7) % VOCABULARY for token in sequence.completion_ids]
        changed = [*sequences[:i], TokenSequence(sequence.prompt_ids, other), *sequences[i + 1 :]]
        after, _ = packed_logprobs(model, changed)
        for j in range(len(sequences)):
            if j != i:
                torch.testing.assert_close(after[j], before[j], rtol=0, atol=1e-6)
        assert (after[i] - before[i]).abs().max() > 0.01


@torch.no_grad()
def test_a_position_does_not_see_what_follows():
    model, [*_, last] = tiny_qwen3(), random_sequences(3)
    ids = [*last.prompt_ids, *last.completion_ids, 5, 6, 7]
    before, _ = packed_logprobs(model, [TokenSequence(ids[:1], ids[1:])])
    after, _ = packed_logprobs(model, [TokenSequence(ids[:1], [*ids[1:-1], 30])])
    torch.testing.assert_close(after[0][:-1], before[0][:-1], rtol=0, atol=1e-6)
    assert (after[0][-1] - before[0][-1]).abs() > 0.01


@torch.no_grad()
def test_what_stands_in_the_padding_is_not_seen():
    model, sequences = tiny_qwen3(), random_sequences(1)
    for batch in pack(sequences, [1.0] * 9, micro_batch_tokens=36):
        scribbled = dataclasses.replace(batch, input_ids=batch.input_ids.clone())
        scribbled.input_ids[batch.segment_ids == 0] = 33
        ours, theirs = batch_logprobs(model, batch)[0], batch_logprobs(model, scribbled)[0]
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_block_causal_mask_by_hand():
    mask = block_causal_mask(torch.tensor([[1, 1, 2, 2, 0]]))
    assert mask.shape == (1, 1, 5, 5)
    assert mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 0, 0, 1],
    ]


def test_zero_outside_the_mask_and_other_heads_agree(monkeypatch):
    """A family that is not known to have a plain head takes its own forward pass; small chunks change nothing."""
    model, sequences = tiny_qwen3(), random_sequences(4)
    batch = pack(sequences, [1.0] * 9, micro_batch_tokens=10**6)[0]
    logprobs, entropy = batch_logprobs(model, batch, 0.7)
    assert (logprobs[~batch.loss_mask] == 0).all()
    assert (logprobs[batch.loss_mask] < 0).all()
    with monkeypatch.context() as patch:
        patch.setattr("reasonwright.models.forward.FAMILIES", set())
        other, other_entropy = batch_logprobs(model, batch, 0.7)
    monkeypatch.setattr(logprobs_module, "CHUNK_ELEMENTS", 3 * VOCABULARY)
    chunked, chunked_entropy = batch_logprobs(model, batch, 0.7)
    for ours, h in ((other, other_entropy), (chunked, chunked_entropy)):
        torch.testing.assert_close(ours, logprobs, rtol=0, atol=1e-6)
        torch.testing.assert_close(h, entropy)


@pytest.mark.parametrize("padding", [None, 6])
@pytest.mark.parametrize("kind", ["qwen3 tied", "qwen3"])
def test_the_embeddings_gradient_is_autograds(kind: str, padding: int | None):
    """Added to the head's in place where the weights are shared; over two micro-batches, a token twice in one."""
    rows = [[TokenSequence([5, 6, 5], [8, 9])], [TokenSequence([9, 5], [6, 6, 7])]]
    batches = [pack(row, [1.0], micro_batch_tokens=100, flat=True)[0] for row in rows]
    model, other = prepare(toy_model(kind)), toy_model(kind)
    for m in (model, other):
        m.get_input_embeddings().padding_idx = padding
    for batch in batches:
        logprobs, _ = batch_logprobs(model, batch)
        logprobs.sum().backward()
        logits = other(input_ids=batch.input_ids).logits.log_softmax(-1)
        picked = logits.gather(-1, batch.targets.unsqueeze(-1)).squeeze(-1)
        picked[batch.loss_mask].sum().backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, other.get_parameter(name).grad, rtol=1e-4, atol=1e-5)


def test_the_embeddings_gradient_is_the_same_to_the_bit_every_time():
    """Many tokens of few kinds, two threads: sums by whoever comes first would differ."""
    model, threads = prepare(toy_model("qwen3 tied")), torch.get_num_threads()
    ids = [i % 7 + 3 for i in range(2000)]
    [batch] = pack([TokenSequence(ids[:1], ids[1:])], [1.0], micro_batch_tokens=4096, flat=True)
    gradients = []
    torch.set_num_threads(2)
    try:
        for _ in range(6):
            model.zero_grad()
            batch_logprobs(model, batch)[0].sum().backward()
            gradients.append(model.get_input_embeddings().weight.grad.clone())
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(gradients[0], other) for other in gradients[1:])
