"""How a completion ends, on a model that recites a known text."""

from __future__ import annotations

import itertools
import string

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from reasonwright.chat import ChatFormat
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import STOP_CHECK_EVERY, NativeSampler
from toy_models import chain_model
from toy_tokenizers import TURN, chatml_tags

LETTERS = string.ascii_lowercase + string.digits  # recited after "a", one token each; then the turn ends


@pytest.fixture(scope="module")
def chat() -> ChatFormat:
    return ChatFormat(chatml_tags())


def ids_of(chat: ChatFormat, text: str) -> list[int]:
    """One id a byte, no merges."""
    pieces = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return [chat.tokenizer.convert_tokens_to_ids(byte) for piece, _ in pieces for byte in piece]


@pytest.fixture(scope="module")
def reciter(chat) -> NativeSampler:
    ids = [*ids_of(chat, LETTERS), chat.end_id]
    return NativeSampler(chain_model(dict(itertools.pairwise(ids))), chat)


def recite(sampler: NativeSampler, start: str = "a", **params):
    request = SampleRequest(ids_of(sampler.chat, start), "k")
    return sampler.sample([request], SamplingParams(**({"temperature": 0} | params)))[0][0]


def test_a_stop_id_ends_the_completion_and_is_its_last_id(chat, reciter):
    c = recite(reciter, max_tokens=60)
    assert c.token_ids == [*ids_of(chat, LETTERS[1:]), chat.end_id]
    assert (c.text, c.finish_reason) == (LETTERS[1:], "stop")
    assert len(c.logprobs) == len(c.token_ids)


def test_both_the_end_of_turn_and_the_end_of_text_stop(chat):
    for end in (TURN, "<|endoftext|>"):
        end_id = chat.tokenizer.convert_tokens_to_ids(end)
        [a] = ids_of(chat, "a")
        assert recite(NativeSampler(chain_model({a: end_id}), chat)).token_ids == [end_id]


@pytest.mark.parametrize("max_tokens", [1, 7, 8, 9, 35, 36, 37])
def test_max_tokens_cuts(chat, reciter, max_tokens):
    c = recite(reciter, max_tokens=max_tokens)
    assert c.text == LETTERS[1 : 1 + max_tokens]
    assert c.finish_reason == ("stop" if max_tokens >= 36 else "length")
    assert len(c.token_ids) == min(max_tokens, 36)


@pytest.mark.parametrize("max_tokens", [8, 20, 60])
@pytest.mark.parametrize("size", [1, 12])
def test_a_stop_text_cuts_wherever_it_appears(reciter, size, max_tokens):
    whole = recite(reciter, max_tokens=max_tokens).text
    for at in range(1, len(LETTERS) - size, 3):
        stop = LETTERS[at : at + size]
        c = recite(reciter, max_tokens=max_tokens, stop=("never", stop))
        if stop in whole:
            assert (c.text, c.finish_reason) == (LETTERS[1:at], "stop")
            assert len(c.token_ids) < at + size - 1 + STOP_CHECK_EVERY  # and the rest is not sampled for nothing
        else:
            assert (c.text, c.finish_reason) == (whole, "stop" if max_tokens == 60 else "length")


def test_the_first_of_several_stop_texts_cuts(reciter):
    assert recite(reciter, max_tokens=30, stop=("mn", "de", "p")).text == "bc"


def test_a_stop_text_of_many_bytes_ends_sampling_too(chat):
    """A character may take several tokens: the window that is searched is one of bytes."""
    ids = ids_of(chat, "aé")
    model = chain_model({ids[0]: ids[1], ids[1]: ids[2], ids[2]: ids[1]})  # ééééé…
    c = recite(NativeSampler(model, chat), max_tokens=90, stop=("é" * 12,))
    assert (c.text, c.finish_reason) == ("", "stop")
    assert len(c.token_ids) == 24


def test_rows_of_a_batch_stop_each_on_its_own(chat, reciter):
    requests = [SampleRequest(ids_of(chat, start), start) for start in "afkp5"]
    groups = reciter.sample(requests, SamplingParams(n=2, max_tokens=20, temperature=0, stop=("qr",)))
    assert [[c.text for c in g] for g in groups] == [
        [t] * 2 for t in (LETTERS[1:16], LETTERS[6:16], LETTERS[11:16], "", "6789")
    ]
    assert [g[0].finish_reason for g in groups] == ["stop"] * 5
