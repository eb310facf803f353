"""Where every token, target and weight of a packed batch lies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonwright.data.packing import WIDTHS, TokenSequence, pack, sequences_of, token_weights
from reasonwright.types import Completion, Problem, Reward, Rollout, RolloutGroup, Verdict

LONG = TokenSequence([11, 12, 13], [14, 15, 16], sampler_logprobs=[-0.1, -0.2, -0.3])
SHORT = TokenSequence([21], [22, 23], sampler_logprobs=[-0.4, -0.5])
CUT = TokenSequence([31, 32], [33], sampler_logprobs=[-0.6], train=False)


def test_by_hand():
    """Three sequences of 5, 2 and 2 inputs: the long one fills the first row, the others share the second."""
    [batch] = pack([SHORT, LONG, CUT], [0.5, 0.25, 9.0], micro_batch_tokens=64)
    assert batch.input_ids.tolist() == [[11, 12, 13, 14, 15], [21, 22, 31, 32, 0]]
    assert batch.targets.tolist() == [[0, 0, 14, 15, 16], [22, 23, 0, 0, 0]]
    assert batch.loss_mask.int().tolist() == [[0, 0, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 4], [0, 1, 0, 1, 0]]
    assert batch.segment_ids.tolist() == [[1, 1, 1, 1, 1], [1, 1, 2, 2, 0]]
    assert batch.sequence_ids.tolist() == [[1, 1, 1, 1, 1], [0, 0, 2, 2, -1]]
    assert batch.weights.tolist() == [[0, 0, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0, 0]]
    expected = torch.tensor([[0, 0, -0.1, -0.2, -0.3], [-0.4, -0.5, 0, -0.6, 0]])
    torch.testing.assert_close(batch.sampler_logprobs, expected)


def test_by_hand_loss_on_all():
    """Every token but the first of its text is a target."""
    rows = [TokenSequence([21], [22, 23]), TokenSequence([11, 12, 13], [14, 15, 16]), TokenSequence([], [41, 42, 43])]
    weights = token_weights(rows, aggregate="token", loss_on="all")
    assert weights == [1 / 9] * 3
    [batch] = pack(rows, weights, micro_batch_tokens=64, loss_on="all")
    assert batch.input_ids.tolist() == [[11, 12, 13, 14, 15], [21, 22, 41, 42, 0]]
    assert batch.targets.tolist() == [[12, 13, 14, 15, 16], [22, 23, 42, 43, 0]]
    assert batch.loss_mask.int().tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    assert batch.weights.sum().item() == pytest.approx(1.0)
    assert batch.sampler_logprobs is None


def test_micro_batches_by_hand():
    """Rows are as long as their micro-batch's longest sequence, and at least one goes into each micro-batch."""
    sequences = [LONG, SHORT, SHORT, SHORT]
    shapes = {
        budget: [tuple(b.input_ids.shape) for b in pack(sequences, [1.0] * 4, micro_batch_tokens=budget)]
        for budget in (1, 9, 10, 64)
    }
    assert shapes == {
        1: [(1, 5), (1, 2), (1, 2), (1, 2)],
        9: [(1, 5), (3, 2)],
        10: [(2, 5), (1, 2)],
        64: [(3, 5)],
    }
    assert pack([], [], micro_batch_tokens=64) == []


def test_flat_by_hand():
    """Two completions of one prompt: all of it but its last token is laid once, and both go on from there."""
    other = TokenSequence([11, 12, 13], [17], sampler_logprobs=[-0.7])
    [batch] = pack([SHORT, LONG, other], [0.5, 0.25, 2.0], micro_batch_tokens=64, flat=True)
    assert batch.input_ids.tolist() == [[11, 12, 13, 14, 15, 13, 21, 22]]
    assert batch.targets.tolist() == [[0, 0, 14, 15, 16, 17, 22, 23]]
    assert batch.loss_mask.int().tolist() == [[0, 0, 1, 1, 1, 1, 1, 1]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 4, 2, 0, 1]]
    assert batch.segment_ids.tolist() == [[1, 1, 2, 2, 2, 3, 4, 4]]
    assert batch.sequence_ids.tolist() == [[-1, -1, 1, 1, 1, 2, 0, 0]]
    assert batch.weights.tolist() == [[0, 0, 0.25, 0.25, 0.25, 2.0, 0.5, 0.5]]
    assert batch.segments == [(0, 2, 0, 0), (2, 3, 0, 2), (5, 1, 0, 2), (6, 2, 0, 0)]
    expected = torch.tensor([[0, 0, -0.1, -0.2, -0.3, -0.7, -0.4, -0.5]])
    torch.testing.assert_close(batch.sampler_logprobs, expected)


def test_a_group_larger_than_a_micro_batch_is_split_with_its_prompt():
    group = [TokenSequence([1, 2, 3], [4] * n) for n in (5, 4, 3, 2)]
    batches = pack(group, [1.0] * 4, micro_batch_tokens=9, flat=True)
    assert [b.sequence_ids.unique().tolist() for b in batches] == [[-1, 1, 2], [-1, 0], [-1, 3]]
    assert [b.input_ids.shape[1] for b in batches] == [9, 7, 4]


def test_a_row_each_by_hand():
    """Longest first, no row shared, widths rounded up to sixteens."""
    sequences = [TokenSequence([1], [2] * n) for n in (3, 20, 17, 16, 2)]
    got = pack(sequences, [1.0] * 5, micro_batch_tokens=64, join=False)
    assert [tuple(b.input_ids.shape) for b in got] == [(2, 32), (3, 16)]
    assert [b.sequence_ids[:, 0].tolist() for b in got] == [[1, 2], [3, 0, 4]]


def test_weights_by_hand():
    """Trained lengths 3, 2 and 0."""
    rows = [LONG, SHORT, CUT]
    assert token_weights(rows, aggregate="token") == [1 / 5] * 3
    assert token_weights(rows, aggregate="token", num_tokens=20) == [1 / 20] * 3
    assert token_weights(rows, aggregate="completion") == [1 / 6, 1 / 4, 0.0]
    assert token_weights(rows, aggregate="completion", num_completions=8) == [1 / 24, 1 / 16, 0.0]
    assert token_weights(rows, aggregate="constant", num_completions=8, max_tokens=10) == [1 / 80] * 3
    with pytest.raises(ValueError, match="max_tokens"):
        token_weights(rows, aggregate="constant")
    with pytest.raises(ValueError, match="unknown aggregate 'mean'"):
        token_weights(rows, aggregate="mean")


def test_sequences_of_groups():
    def rollout(ids, reason):
        completion = Completion(ids, [-0.5] * len(ids), "", reason)
        return Rollout(completion, Reward(0.0, 0.0, {}, Verdict(False, False, None)))

    groups = [
        RolloutGroup(Problem("a", "?", "1"), [1, 2], [rollout([3], "stop"), rollout([4, 5], "length")]),
        RolloutGroup(Problem("b", "?", "1"), [6], [rollout([7], "length"), rollout([8], "stop")]),
    ]
    for mask_truncated in (False, True):
        got = sequences_of(groups, mask_truncated=mask_truncated)
        assert [(s.prompt_ids, s.completion_ids) for s in got] == [
            ([1, 2], [3]),
            ([1, 2], [4, 5]),
            ([6], [7]),
            ([6], [8]),
        ]
        assert [s.train for s in got] == [True, not mask_truncated, not mask_truncated, True]


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.lists(st.integers(1, 99), min_size=1, max_size=9), st.booleans()),
        min_size=1,
        max_size=16,
    ),
    st.integers(1, 60),
)
def test_flat_read_back(drawn, budget):
    """Every sequence can be read from its prefix and its own segment, for any groups and any budget."""
    sequences = [TokenSequence([7, 8, 9][:p], ids, train=train) for p, ids, train in drawn]
    weights = [1.0 + i for i in range(len(sequences))]
    seen = []
    for batch in pack(sequences, weights, micro_batch_tokens=budget, flat=True):
        assert batch.segments is not None
        assert sum(s.length for s in batch.segments) == batch.input_ids.shape[1]
        largest = max(s.length + s.prefix_length for s in batch.segments)
        assert batch.input_ids.shape[1] <= max(budget, largest)
        for start, length, prefix_start, prefix_length in batch.segments:
            own = slice(start, start + length)
            before = slice(prefix_start, prefix_start + prefix_length)
            inputs = [*batch.input_ids[0, before].tolist(), *batch.input_ids[0, own].tolist()]
            [i] = batch.sequence_ids[0, own].unique().tolist()
            if i == -1:
                assert not batch.loss_mask[0, own].any()
                continue
            seen.append(i)
            s = sequences[i]
            text = [*s.prompt_ids, *s.completion_ids]
            assert inputs == text[:-1]
            assert batch.position_ids[0, own].tolist() == list(range(prefix_length, len(text) - 1))
            assert batch.targets[0, own][batch.loss_mask[0, own]].tolist() == (
                list(s.completion_ids) if s.train else []
            )
            assert batch.weights[0, own].sum() == weights[i] * len(s.completion_ids) * s.train
    assert sorted(seen) == list(range(len(sequences)))


texts = st.builds(
    TokenSequence,
    prompt_ids=st.lists(st.integers(1, 99), min_size=1, max_size=12),
    completion_ids=st.lists(st.integers(1, 99), min_size=1, max_size=12),
    train=st.booleans(),
)


@settings(max_examples=60)
@given(
    st.lists(texts, min_size=1, max_size=20),
    st.integers(1, 120),
    st.sampled_from(["completion", "all"]),
    st.booleans(),
)
def test_every_sequence_lies_whole_in_one_place(sequences, budget, loss_on, join):
    """Read back token by token, for any lengths and any budget."""
    weights = [1.0 + i for i in range(len(sequences))]
    batches = pack(sequences, weights, micro_batch_tokens=budget, loss_on=loss_on, join=join)
    capacity = max(len(s) for s in sequences) - 1
    if not join:
        assert all(b.segment_ids.max() == 1 and b.input_ids.shape[1] % WIDTHS == 0 for b in batches)
        capacity = -(-capacity // WIDTHS) * WIDTHS
    seen = []
    for batch in batches:
        rows, width = batch.input_ids.shape
        assert width <= capacity
        assert rows == 1 or rows * width <= budget
        for b in range(rows):
            for segment in range(1, int(batch.segment_ids[b].max()) + 1):
                at = (batch.segment_ids[b] == segment).nonzero().squeeze(1)
                [i] = set(batch.sequence_ids[b, at].tolist())
                seen.append(i)
                s = sequences[i]
                text = [*s.prompt_ids, *s.completion_ids]
                assert at.tolist() == list(range(int(at[0]), int(at[0]) + len(text) - 1))
                assert batch.input_ids[b, at].tolist() == text[:-1]
                assert batch.position_ids[b, at].tolist() == list(range(len(text) - 1))
                trained = [s.train and (loss_on == "all" or t >= len(s.prompt_ids)) for t in range(1, len(text))]
                assert batch.loss_mask[b, at].tolist() == trained
                assert batch.targets[b, at].tolist() == [
                    token if on else 0 for token, on in zip(text[1:], trained, strict=True)
                ]
                assert batch.weights[b, at].tolist() == [weights[i] * on for on in trained]
        padding = batch.segment_ids == 0
        assert (batch.sequence_ids[padding] == -1).all()
        assert not batch.loss_mask[padding].any()
        assert not batch.weights[padding].any()
    assert sorted(seen) == list(range(len(sequences)))


@given(st.lists(texts, min_size=1, max_size=20), st.sampled_from(["completion", "all"]))
def test_weights_sum_to_one(sequences, loss_on):
    """Of a mean over all that is trained: over tokens, and over completions."""
    for aggregate in ("token", "completion"):
        weights = token_weights(sequences, aggregate=aggregate, loss_on=loss_on)
        batches = pack(sequences, weights, micro_batch_tokens=50, loss_on=loss_on)
        total = sum(float(batch.weights.double().sum()) for batch in batches)
        assert total == pytest.approx(1.0 if any(s.train for s in sequences) else 0.0, abs=1e-5)
