"""Templates that work, and templates that lose something."""

from __future__ import annotations

import pytest

from reasonwright.chat import ChatFormat
from reasonwright.preflight.template import template_faults
from toy import SUMS, toy_chat
from toy_tokenizers import CHATML, END, MAKERS, START, TURN, make


@pytest.mark.parametrize("name", MAKERS)
def test_every_kind_of_tokenizer_is_fine(name: str):
    chat = ChatFormat(MAKERS[name]())
    assert template_faults(chat, SUMS, vocabulary=len(chat.tokenizer)) == []


def test_the_embedded_models_are_fine():
    assert template_faults(toy_chat(), SUMS, vocabulary=1024) == []


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (CHATML.replace("<|im_end|>", ""), "puts no end of turn behind an answer"),
        (CHATML.replace("{{ message['content'] }}", "{{ message['content'][:3] }}"), "does not hold its question"),
        (
            CHATML.replace("{{ message['content'] }}", "{{ message['content'] if message['role'] == 'user' else '' }}"),
            "drops the assistant's message",
        ),
    ],
)
def test_what_a_template_loses(template: str, words: str):
    chat = ChatFormat(make((END, START, TURN), template=template))
    faults = template_faults(chat, SUMS)
    assert faults
    assert any(words in fault for fault in faults)


def test_a_tokenizer_that_changes_the_text():
    """Lower case for all: what is trained on is not what was written."""
    from tokenizers import normalizers

    tokenizer = make()
    tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    faults = template_faults(ChatFormat(tokenizer), SUMS)
    assert any("is not what its tokens decode to" in fault for fault in faults)


def test_an_end_of_turn_that_the_model_does_not_have():
    chat = ChatFormat(make((END, START, TURN), template=CHATML))
    assert template_faults(chat, SUMS, vocabulary=chat.end_id + 1) == []
    (fault,) = template_faults(chat, SUMS, vocabulary=chat.end_id)
    assert fault == f"the end of turn {TURN} is token {chat.end_id}, but the model has {chat.end_id}"
