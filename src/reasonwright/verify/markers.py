"""Where in the text after the thought the answer stands. Every function is linear in the length of the text."""

from __future__ import annotations

import re
from typing import NamedTuple

# Bold and underscores may stand between the words: "**The answer** is: **42**".
_MARKER = re.compile(
    r"(?P<sentence>(?<![a-z])the[\s*_]+(?P<final>final[\s*_]+)?answer[\s*_]+is(?![a-z])(?:[ \t*_]*:)?)"
    r"|(?P<hashes>\#{4})|(?P<boxed>\\boxed\s*\{)|(?P<tag><answer>)",
    re.IGNORECASE,
)
_BRACE = re.compile(r"\\[\\{}]|(?P<box>\\boxed\s*\{)|[{}]")
_TAG_CLOSE = re.compile(r"</answer>", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<!\\)[.!?…]\s|\n")


class Span(NamedTuple):
    """`text[start:end]` is what a marker announces."""

    marker: str
    """"sentence", "hashes", "boxed" or "tag"."""
    start: int
    end: int


def last_span(text: str) -> Span | None:
    """What the last answer marker of `text` announces, or None where there is no marker."""
    if text.isascii():  # a quick look: the pattern takes longer than all the rest
        small = text.lower()
        if "answer" not in small and "####" not in small and "\\boxed" not in small:
            return None
    last = None
    for marker_found in _MARKER.finditer(text):
        last = marker_found
    if last is None:
        return None
    marker, start, end = "sentence", last.end(), len(text)
    if last["hashes"]:
        marker = "hashes"
    elif last["tag"]:
        marker = "tag"
        if close := _TAG_CLOSE.search(text, start):
            end = close.start()
    elif last["boxed"]:
        marker, end = "boxed", _closing_brace(text, start)
    return Span(marker, start, end)


def boxed_spans(text: str) -> list[Span]:
    r"""Every outermost `\boxed{…}`; one that is never closed reaches to the end of the text."""
    spans: list[Span] = []
    if "\\boxed" not in text:
        return spans
    depth = start = 0
    for brace in _BRACE.finditer(text):
        if brace["box"] and depth == 0:
            depth, start = 1, brace.end()
        elif depth and (brace["box"] or brace[0] == "{"):
            depth += 1
        elif depth and brace[0] == "}":
            depth -= 1
            if depth == 0:
                spans.append(Span("boxed", start, brace.start()))
    if depth:
        spans.append(Span("boxed", start, len(text)))
    return spans


def first_sentence(text: str) -> str:
    """The text up to the first end of a line or a sentence."""
    end = _SENTENCE_END.search(text)
    return text[: end.start()] if end else text


def is_answer_sentence(answer_text: str, *, any_answer: bool = False) -> bool:
    """Whether the text is one sentence with one marker `The answer is` in it (a box around the answer is allowed).
    `any_answer`: what follows the marker has been checked otherwise, and may hold several sentences and lines."""
    text = answer_text.strip()
    markers = [m for m in _MARKER.finditer(text) if not m["boxed"]]
    if len(markers) != 1 or not markers[0]["sentence"] or markers[0]["final"]:
        return False
    return not _SENTENCE_END.search(text[: markers[0].start()] if any_answer else text)


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for brace in _BRACE.finditer(text, start):
        if brace["box"] or brace[0] == "{":
            depth += 1
        elif brace[0] == "}":
            depth -= 1
            if depth == 0:
                return brace.start()
    return len(text)
