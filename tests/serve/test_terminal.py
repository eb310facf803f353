"""The terminal shows the same text however it was cut into tokens, and never a tag."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from reasonwright.chat import ChatFormat
from reasonwright.serve.terminal import StreamedText
from toy_tokenizers import chatml, chatml_tags, make

COMPLETION = "<think>\nnaïve 東京 🙂: 2 < 3\n</think>\n\nThe answer is 5."
SHOWN = [("dim", "\nnaïve 東京 🙂: 2 < 3\n"), ("bold", "\n\nThe answer is 5.")]


def byte_ids(chat: ChatFormat, text: str) -> list[int]:
    """One id a byte: every tag and every character beyond ASCII is cut in pieces."""
    pieces = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return [chat.tokenizer.convert_tokens_to_ids(byte) for piece, _ in pieces for byte in piece]


def shown(chat: ChatFormat, ids: list[int], stop: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(style, text) of what was written, neighbours of one style joined."""
    pieces: list[tuple[str, str]] = []
    stream = StreamedText(chat, lambda text, style: pieces.append((style, text)), stop)
    for token in ids:
        stream.push(token)
    stream.end()
    return [(s, "".join(t for _, t in group)) for s, group in itertools.groupby(pieces, key=lambda piece: piece[0])]


@pytest.mark.parametrize("maker", [chatml, chatml_tags, lambda: make(("<|endoftext|>", "<think>", "</think>"))])
def test_the_text_does_not_depend_on_the_token_boundaries(maker):
    chat = ChatFormat(maker())
    assert shown(chat, chat.completion_ids(COMPLETION)) == SHOWN
    assert shown(chat, byte_ids(chat, COMPLETION)) == SHOWN


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("5", [("bold", "5")]),
        ("a <thin", [("bold", "a <thin")]),  # not a tag after all
        ("1 < 2 </b> 3", [("bold", "1 < 2 </b> 3")]),
        ("<think>left open", [("dim", "left open")]),
        ("<think>a</think>b<think>c</think>d", [("dim", "a"), ("bold", "b"), ("dim", "c"), ("bold", "d")]),
        ("<think>a<think>b</think>c</think>d", [("dim", "ab"), ("bold", "cd")]),
        ("never opened</think>x", [("bold", "never openedx")]),
        ("<<think>>a<</think>>", [("bold", "<"), ("dim", ">a<"), ("bold", ">")]),
        ("\x1b[31mred\x07\r\x9b2J\tx\n", [("bold", "[31mred2J\tx\n")]),  # nothing steers the terminal
        ("", []),
    ],
)
def test_tags_and_control_characters_are_not_shown(text, pieces):
    for maker in (chatml, chatml_tags):
        chat = ChatFormat(maker())
        assert shown(chat, byte_ids(chat, text)) == pieces
        assert shown(chat, chat.completion_ids(text)) == pieces


def test_nothing_is_held_back_longer_than_needed():
    chat, pieces = ChatFormat(chatml()), []
    stream = StreamedText(chat, lambda text, style: pieces.append(text))
    seen = []
    for token in byte_ids(chat, "ab<thé"):
        stream.push(token)
        seen.append("".join(pieces))
    assert seen == ["a", "ab", "ab", "ab", "ab", "ab<th", "ab<thé"]


def test_bytes_that_are_no_character_are_shown_at_the_end():
    chat = ChatFormat(chatml())
    assert shown(chat, byte_ids(chat, "aé")[:-1]) == [("bold", "a\ufffd")]


@pytest.mark.parametrize(
    "text", ["5 apples.\nQuestion: and more", "5 apples.\nQuestion:", "5 apples.\nQuestion: a\nQuestion:"]
)
def test_what_follows_a_stop_text_is_not_shown(text):
    chat = ChatFormat(chatml())
    for ids in (byte_ids(chat, text), chat.completion_ids(text)):
        assert shown(chat, ids, ("\nQuestion:",)) == [("bold", "5 apples.")]
    assert shown(chat, byte_ids(chat, "5\nQuest"), ("\nQuestion:",)) == [("bold", "5\nQuest")]


def chat_process(stdin: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "reasonwright", "chat", *arguments]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:surrogateescape", "HF_HUB_OFFLINE": "1"}
    return subprocess.run(command, input=stdin, capture_output=True, env=environment, timeout=120, check=False)


def test_chat_answers_a_question_from_standard_input():
    """With bytes that are not UTF-8 in a second one."""
    run = chat_process(b"What is 2 + 3?\n\nCaf\xe9?\n", "embedded:tiny", "--max-tokens", "40", "--device", "cpu")
    assert run.returncode == 0, run.stderr.decode()
    assert run.stderr == b""
    answers = [text for text in run.stdout.decode().split("\n\n") if text.strip()]
    assert len(answers) >= 2
    assert all(re.search(r"\w", answer) for answer in answers[:2])
    assert b"think>" not in run.stdout
    assert b"\x1b" not in run.stdout  # no colours into a pipe
