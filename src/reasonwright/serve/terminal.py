"""`reasonwright chat`: questions in the terminal, the thought dim, the answer bright, both as they are written."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from rich.text import Text

from reasonwright.chat import THINK_CLOSE, THINK_OPEN, ChatFormat, PromptMode
from reasonwright.display import console
from reasonwright.models.open import open_model
from reasonwright.models.settings import LoadOptions
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import NativeSampler

TAG = re.compile(f"{THINK_OPEN}|{THINK_CLOSE}")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a model writes must not steer the terminal


class StreamedText:
    """Turns a growing list of token ids into pieces of text with their style, tags taken out, up to a stop text."""

    def __init__(self, chat: ChatFormat, write: Callable[[str, str], None], stop: tuple[str, ...] = ()):
        self.chat, self.write, self.stop = chat, write, stop
        self.ids: list[int] = []
        self.shown = 0  # characters of the whole text already written
        self.thinking = False

    def push(self, token: int) -> None:
        self.ids.append(token)
        self._flush(self.chat.decode(self.ids), final=False)

    def end(self) -> None:
        self._flush(self.chat.decode(self.ids), final=True)

    def _flush(self, text: str, final: bool) -> None:
        cut = min((at for s in self.stop if (at := text.find(s)) >= 0), default=None)
        if cut is not None:
            text, final = text[:cut], True
        while True:
            rest = text[self.shown :]
            tag = TAG.search(rest)
            before = rest[: tag.start()] if tag else rest
            if not tag and not final:
                before = before[: len(before) - _open_end(before, (THINK_OPEN, THINK_CLOSE, *self.stop))]
            if before:
                self.write(CONTROL.sub("", before), "dim" if self.thinking else "bold")
            if not tag:
                self.shown += len(before)
                return
            self.shown += tag.end()
            self.thinking = tag.group() == THINK_OPEN


def _open_end(text: str, marks: tuple[str, ...]) -> int:
    """How many last characters may still change: the start of a mark, or a character whose bytes are not all there."""
    if text.endswith("\ufffd"):
        return len(text) - len(text.rstrip("\ufffd"))
    lengths = range(min(max(map(len, marks)) - 1, len(text)), 0, -1)
    return next((n for n in lengths if any(mark.startswith(text[-n:]) for mark in marks)), 0)


def chat_loop(
    spec: str,
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
    mode: PromptMode,
    options: LoadOptions,
) -> None:
    """Read a question a line until end of input; each is answered on its own."""
    model, chat = open_model(spec, options)
    sampler = NativeSampler(model, chat)
    if console.is_terminal:
        console.print(f"[dim]{spec}: type a question, end with Ctrl-D")
    turn = 0
    while True:
        try:
            question = console.input("[cyan]> " if console.is_terminal else "").strip()
        except (EOFError, KeyboardInterrupt):
            return
        question = question.encode(errors="surrogatepass").decode(errors="replace")  # bytes that are not UTF-8
        if not question:
            continue
        prompt = chat.prompt(question, mode)
        params = SamplingParams(max_tokens=max_tokens, temperature=temperature, seed=seed, stop=prompt.stop)
        stream = StreamedText(chat, lambda text, style: console.print(Text(text, style=style), end=""), prompt.stop)
        if prompt.answer_prefix:
            console.print(Text(prompt.answer_prefix, style="bold"), end="")
        with contextlib.suppress(KeyboardInterrupt):
            sampler.sample([SampleRequest(prompt.ids, f"turn/{turn}")], params, on_token=stream.push)
        stream.end()
        console.print("\n")
        turn += 1
