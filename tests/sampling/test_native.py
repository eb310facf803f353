"""The sampler agrees with the trainer and with transformers, and leaves the model as it found it."""

from __future__ import annotations

import pytest
import torch

from reasonwright.chat import ChatFormat
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.models.forward import batch_logprobs
from reasonwright.sampling import SampleRequest, SamplingParams, native
from reasonwright.sampling.native import NativeSampler
from toy_models import FAST, GENERIC, V, toy_model
from toy_tokenizers import chatml_tags

FAMILIES = ["qwen3", "llama", "llama biases", "qwen2", "mistral", "gpt2", "gpt_neox"]
WINDOWS = ["mistral window", "qwen2 window", "qwen3 window", "gemma3"]


@pytest.fixture(scope="module")
def chat() -> ChatFormat:
    return ChatFormat(chatml_tags())


def ragged_requests(count: int = 4) -> list[SampleRequest]:
    g = torch.Generator().manual_seed(5)
    lengths = (9, 2, 14, 1, 6, 9)[:count]
    return [SampleRequest(torch.randint(V, (n,), generator=g).tolist(), f"p/{n}/{i}") for i, n in enumerate(lengths)]


def completions(model, chat, requests, max_rows=512, **params):
    settings = SamplingParams(**({"n": 3, "max_tokens": 24, "temperature": 0.7} | params))
    return NativeSampler(model, chat, max_rows).sample(requests, settings)


@pytest.mark.parametrize("kind", FAMILIES + WINDOWS)
def test_the_trainers_logprobs_are_the_samplers(kind, chat):
    """Invariant 1. The model comes in training mode: dropout must touch neither side."""
    model, requests = toy_model(kind).train(), ragged_requests()
    groups = completions(model, chat, requests, temperature=0.7)
    sequences = [
        TokenSequence(r.prompt_ids, c.token_ids, c.logprobs) for r, g in zip(requests, groups, strict=True) for c in g
    ]
    model.eval()
    for batch in pack(sequences, [1.0] * len(sequences), micro_batch_tokens=80):
        logprobs, _ = batch_logprobs(model, batch, 0.7)
        assert (logprobs - batch.sampler_logprobs).abs().max() < 1e-4
        assert (logprobs[batch.loss_mask] < -1).any()  # not a distribution so sharp that anything agrees


@pytest.mark.parametrize("kind", [*FAST, *GENERIC])
def test_greedy_is_the_greedy_of_transformers(kind, chat):
    model, requests = toy_model(kind), ragged_requests()
    ours = completions(model, chat, requests, n=1, temperature=0)
    S = max(len(r.prompt_ids) for r in requests)
    pads = [S - len(r.prompt_ids) for r in requests]
    theirs = model.generate(
        torch.tensor([[chat.end_id] * pad + list(r.prompt_ids) for pad, r in zip(pads, requests, strict=True)]),
        attention_mask=torch.tensor([[0] * pad + [1] * (S - pad) for pad in pads]),
        do_sample=False,
        max_new_tokens=24,
        eos_token_id=sorted(chat.stop_ids),
        pad_token_id=chat.end_id,
    )
    for [completion], ids in zip(ours, theirs[:, S:].tolist(), strict=True):
        assert completion.token_ids == ids[: len(completion.token_ids)]
        assert len(completion.token_ids) == 24 or completion.token_ids[-1] in chat.stop_ids
    for [completion], request in zip(ours, requests, strict=True):
        assert completions(model, chat, [request], n=1, temperature=0)[0][0].token_ids == completion.token_ids


@pytest.mark.parametrize("kind", FAST)
def test_what_prompts_have_in_common_changes_nothing(kind, chat, monkeypatch):
    """Worked examples before each question are read once: tokens and log-probabilities as of prompts read whole."""
    model = toy_model(kind)
    shots = torch.randint(V, (20,), generator=torch.Generator().manual_seed(3)).tolist()
    requests = [SampleRequest([*shots, *r.prompt_ids], r.key) for r in ragged_requests()]
    whole = completions(model, chat, requests)
    monkeypatch.setattr(native, "COMMON_LEAST", 16)
    sampler = NativeSampler(model, chat)
    once = sampler.sample(requests, SamplingParams(n=3, max_tokens=24, temperature=0.7))
    assert sampler.decoder.common.shape[-2] == 20
    for a, b in zip((c for g in whole for c in g), (c for g in once for c in g), strict=True):
        assert a.token_ids == b.token_ids
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-4)


def test_the_common_start_leaves_a_token_to_each_prompt(monkeypatch):
    monkeypatch.setattr(native, "COMMON_LEAST", 2)
    assert native.common_start([[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 9]]) == [1, 2]
    assert native.common_start([[1, 2, 3, 4], [1, 2, 3]]) == [1, 2]
    assert native.common_start([[1, 2, 3], [1, 2, 3]]) == [1, 2]
    assert native.common_start([[1, 2], [1, 3]]) == ()


def test_draws_follow_the_models_distribution(chat):
    """Chi-square of 6,000 first tokens against the softmax of a plain forward pass."""
    model, request = toy_model("qwen3"), ragged_requests()[0]
    [group] = completions(model, chat, [request], n=6000, max_tokens=1, temperature=1.3)
    with torch.no_grad():
        probs = torch.softmax(model(torch.tensor([request.prompt_ids])).logits[0, -1].double() / 1.3, -1)
    counts = torch.bincount(torch.tensor([c.token_ids[0] for c in group]), minlength=V).double()
    common = probs * 6000 >= 5
    observed = torch.cat([counts[common], counts[~common].sum().view(1)])
    expected = torch.cat([probs[common], probs[~common].sum().view(1)]) * 6000
    chi2, df = float(((observed - expected) ** 2 / expected).sum()), len(observed) - 1
    assert df > 20
    assert abs(chi2 - df) / (2 * df) ** 0.5 < 4  # four standard deviations: too near is as wrong as too far


def test_successive_tokens_have_independent_numbers(chat):
    """A uniform number used twice would tie the second token to the first."""
    model = toy_model("llama")
    with torch.no_grad():
        model.lm_head.weight.zero_()  # every token equally likely, whatever came before
    [group] = completions(model, chat, ragged_requests(1), n=2000, max_tokens=2)
    pairs = torch.tensor([c.token_ids for c in group if len(c.token_ids) == 2]).double()
    assert len(pairs) > 1900
    assert abs(float(torch.corrcoef(pairs.T)[0, 1])) < 0.1


@pytest.mark.parametrize("kind", ["qwen2", "gpt2"])
def test_a_completion_depends_on_seed_key_and_index_alone(kind, chat, monkeypatch):
    model, requests = toy_model(kind), ragged_requests(6)
    together = completions(model, chat, requests)
    ids = [[c.token_ids for c in group] for group in together]
    for request, group in zip(requests, together, strict=True):
        [alone] = completions(model, chat, [request])
        assert [c.token_ids for c in alone] == [c.token_ids for c in group]
        for one, other in zip(alone, group, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    for max_rows in (1, 4):  # groups of three, cut across batches
        assert [[c.token_ids for c in g] for g in completions(model, chat, requests, max_rows)] == ids
    reversed_ = completions(model, chat, requests[::-1])[::-1]
    assert [[c.token_ids for c in g] for g in reversed_] == ids
    more = completions(model, chat, requests, n=5, max_tokens=30)
    assert [[c.token_ids[:24] for c in g[:3]] for g in more] == ids
    monkeypatch.setattr("reasonwright.sampling.native.CACHE_BYTES", 100_000)  # room for a few rows at a time
    assert [[c.token_ids for c in g] for g in completions(model, chat, requests)] == ids


def test_another_seed_key_or_index_gives_another_completion(chat):
    model, request = toy_model("qwen3"), ragged_requests()[0]
    groups = [
        *completions(model, chat, [request], n=4),
        *completions(model, chat, [request], n=4, seed=1),
        *completions(model, chat, [SampleRequest(request.prompt_ids, "other")], n=4),
    ]
    assert len({tuple(c.token_ids) for group in groups for c in group}) == 12


def test_requests_may_repeat_a_key(chat):
    model, request = toy_model("qwen3"), ragged_requests()[0]
    first, second = completions(model, chat, [request, request])
    assert [c.token_ids for c in first] == [c.token_ids for c in second]


def test_looking_seldom_at_what_has_ended_changes_nothing(chat, monkeypatch):
    """As on a GPU: rows that have ended go on for some tokens that nobody gets to see."""
    early = ChatFormat(chatml_tags())
    early.stop_ids = frozenset(range(0, V, 12))
    model, requests = toy_model("qwen3"), ragged_requests(6)

    def run(max_rows: int):
        done, told = [], []
        sampler = NativeSampler(model, early, max_rows)
        groups = sampler.sample(requests, SamplingParams(n=4, max_tokens=21, temperature=0.7), done.append)
        sampler.sample(requests[:1], SamplingParams(max_tokens=21), on_token=told.append)
        return [(c.token_ids, c.finish_reason) for g in groups for c in g], sum(done), told

    expected = run(512)
    assert {reason for _, reason in expected[0]} == {"stop", "length"}
    monkeypatch.setitem(native.LOOK_EVERY, "cpu", 5)
    assert run(512) == expected
    assert run(7) == expected


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_when_rows_enter_and_leave_changes_nothing(kind, chat, monkeypatch):
    early = ChatFormat(chatml_tags())
    early.stop_ids = frozenset(range(0, V, 12))  # about one token in twelve ends the turn
    model, results = toy_model(kind), []
    for max_rows, refill in ((512, 0.25), (7, 0.0), (7, 0.5), (20, 1.0), (1, 0.25)):
        monkeypatch.setattr("reasonwright.sampling.native.REFILL_AT", refill)
        groups = completions(model, early, ragged_requests(6), max_rows, n=6)
        results.append([[c.token_ids for c in g] for g in groups])
    assert all(result == results[0] for result in results)
    lengths = {len(ids) for group in results[0] for ids in group}
    assert len(lengths) > 8  # rows did end at many different steps


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_the_model_is_left_as_it_was_and_can_still_be_trained(kind, training, chat):
    model = toy_model(kind).train(training)
    model.requires_grad_(True)
    next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    before = {name: p.clone() for name, p in model.state_dict().items()}
    completions(model, chat, ragged_requests(), max_tokens=4)
    assert all(m.training == training for m in model.modules())
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    first, *others = model.parameters()
    assert first.requires_grad
    assert first.grad.eq(1).all()
    assert all(p.grad is None for p in others)
    model(torch.tensor([[1, 2, 3]]), labels=torch.tensor([[1, 2, 3]])).loss.backward()
    assert all(p.grad is not None for p in others)


def test_an_error_while_sampling_leaves_the_training_flag(chat):
    model = toy_model("qwen3").train()
    with pytest.raises(IndexError):
        completions(model, chat, [SampleRequest([V + 5], "outside the vocabulary")])
    assert model.training


@pytest.mark.parametrize("kind", ["qwen3", "gpt2"])
def test_changed_weights_are_seen(kind, chat):
    model, requests = toy_model(kind), ragged_requests(2)
    sampler, params = NativeSampler(model, chat), SamplingParams(max_tokens=12)
    first = sampler.sample(requests, params)
    with torch.no_grad():
        for p, other in zip(model.parameters(), toy_model(kind, seed=9).parameters(), strict=True):
            p.copy_(other)
    second = sampler.sample(requests, params)
    assert [c.token_ids for [c] in second] != [c.token_ids for [c] in first]
    fresh = NativeSampler(toy_model(kind, seed=9), chat).sample(requests, params)
    assert [c.token_ids for [c] in second] == [c.token_ids for [c] in fresh]


def test_progress_counts_every_completion_and_tokens_are_told_as_they_come(chat):
    model, requests = toy_model("qwen3"), ragged_requests(3)
    done: list[int] = []
    NativeSampler(model, chat, max_rows=2).sample(requests, SamplingParams(n=3, max_tokens=2), on_done=done.append)
    assert sum(done) == 9
    told: list[int] = []
    [[c]] = NativeSampler(model, chat).sample(requests[:1], SamplingParams(max_tokens=9), on_token=told.append)
    assert told == c.token_ids
