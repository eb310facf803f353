"""The models that come with the package."""

from __future__ import annotations

import itertools

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from reasonwright.chat import ChatFormat, render_completion
from reasonwright.models.embedded_config import SHAPES, make_model, make_tokenizer
from reasonwright.models.load import EMBEDDED, load_model, load_tokenizer
from reasonwright.tasks.word_problems.corpus import documents

DIGITS = "0123456789"


@pytest.fixture(params=["base", "student", "tiny"])
def name(request: pytest.FixtureRequest) -> str:
    if request.param != "tiny" and not EMBEDDED[request.param].is_dir():
        pytest.skip(f"EMBEDDED MODEL NOT TESTED: no folder {EMBEDDED[request.param]}; it is made by `pretrain`")
    return request.param


def check_vocabulary(tokenizer) -> None:
    for token in ("<think>", "</think>", "<|endoftext|>", *DIGITS):
        assert len(tokenizer(token).input_ids) == 1, token
    assert [tokenizer.decode([i]) for i in tokenizer("12 405").input_ids if tokenizer.decode([i]).strip()] == list(
        "12405"
    )
    assert tokenizer.eos_token == "<|endoftext|>"
    chat = ChatFormat(tokenizer)
    text = render_completion("12 x 2 = 24.\n東京 🙂 ½", "24")
    ids = chat.completion_ids(text)
    assert chat.decode(ids) == text
    assert ids.count(tokenizer.convert_tokens_to_ids("<think>")) == 1


def test_it_loads_here_and_in_plain_transformers(name):
    model, tokenizer = load_model(f"embedded:{name}"), load_tokenizer(f"embedded:{name}")
    assert len(tokenizer) == model.config.vocab_size == 1024
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    sizes = {key: getattr(model.config, key) for key in SHAPES[name]}
    assert sizes == SHAPES[name]
    ids = torch.tensor([tokenizer("Question: What is 2 + 3?\n").input_ids])
    plain = AutoModelForCausalLM.from_pretrained(EMBEDDED[name])
    torch.testing.assert_close(plain(ids).logits, model(ids).logits, atol=0, rtol=0)
    assert plain.generation_config.eos_token_id in ([tokenizer.eos_token_id], tokenizer.eos_token_id)


def test_its_tokenizer_has_tags_digits_and_a_template(name):
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED[name])
    assert tokenizer.chat_template is not None  # saved, not set when it is loaded
    check_vocabulary(tokenizer)
    messages = [{"role": "user", "content": "What is 2 + 3?"}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text == "Question: What is 2 + 3?\nAnswer:\n"


def test_it_has_learned_something(name):
    """What it was trained to predict, in documents never seen, is far likelier than chance (6.9 nats a token)."""
    model, tokenizer = load_model(f"embedded:{name}"), load_tokenizer(f"embedded:{name}")
    losses = []
    for text in itertools.islice(documents(seed=1_000_003), 32):
        ids = torch.tensor([tokenizer(text).input_ids])
        labels = ids.clone()
        labels[:, : len(tokenizer(text[: text.find("\nAnswer:")]).input_ids)] = -100  # the first question; -1: none
        with torch.no_grad():
            losses.append(float(model(ids, labels=labels if "\nAnswer:" in text else ids).loss))
    assert sum(losses) / len(losses) < {"base": 0.7, "student": 0.7, "tiny": 2.0}[name]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_is_made_from_nothing_and_from_its_seed(shape):
    tokenizer = make_tokenizer(["Question: 12 apples and 30 pears, 5 of them red.", "The answer is 47."] * 9, 300)
    check_vocabulary(tokenizer)
    weights = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        model = make_model(shape, len(tokenizer), tokenizer.eos_token_id)
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    config = model.config
    assert config.num_key_value_heads * 2 == config.num_attention_heads
