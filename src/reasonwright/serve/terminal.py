"""`reasonwright chat`: questions in the terminal, the thought dim, the answer bright, both as they are written."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from rich.text import Text

from reasonwright.chat import THINK_CLOSE, THINK_OPEN, ChatFormat, PromptMode
from reasonwright.display import console
from reasonwright.models.device import pick_device
from reasonwright.models.load import load_model, load_tokenizer
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import NativeSampler

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # what a model writes must not steer the terminal


class StreamedText:
    """Turns a growing list of token ids into pieces of text with their style, tags taken out."""

    def __init__(self, chat: ChatFormat, write: Callable[[str, str], None]):
        self.chat, self.write = chat, write
        self.ids: list[int] = []
        self.shown = 0  # characters of the whole text already written
        self.thinking = False

    def push(self, token: int) -> None:
        self.ids.append(token)
        self._flush(self.chat.decode(self.ids), final=False)

    def end(self) -> None:
        self._flush(self.chat.decode(self.ids), final=True)

    def _flush(self, text: str, final: bool) -> None:
        while True:
            tag = THINK_CLOSE if self.thinking else THINK_OPEN
            rest = text[self.shown :]
            before, found, _ = rest.partition(tag)
            if not found and not final:
                before = before[: len(before) - _open_end(before, tag)]
            if before:
                self.write(CONTROL.sub("", before), "dim" if self.thinking else "bold")
            self.shown += len(before) + len(found)
            if not found:
                return
            self.thinking = not self.thinking


def _open_end(text: str, tag: str) -> int:
    """How many last characters may still change: the start of a tag, or a character whose bytes are not all there."""
    if text.endswith("\ufffd"):
        return len(text) - len(text.rstrip("\ufffd"))
    return next((n for n in range(min(len(tag) - 1, len(text)), 0, -1) if tag.startswith(text[-n:])), 0)


def chat_loop(spec: str, *, max_tokens: int, temperature: float, seed: int, mode: PromptMode, device: str) -> None:
    """Read a question a line until end of input; each is answered on its own."""
    model, chat = load_model(spec, device=pick_device(device)), ChatFormat(load_tokenizer(spec))
    sampler = NativeSampler(model, chat)
    if console.is_terminal:
        console.print(f"[dim]{spec}: type a question, end with Ctrl-D")
    turn = 0
    while True:
        try:
            question = console.input("[cyan]> " if console.is_terminal else "").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if not question:
            continue
        prompt = chat.prompt(question, mode)
        params = SamplingParams(max_tokens=max_tokens, temperature=temperature, seed=seed, stop=prompt.stop)
        stream = StreamedText(chat, lambda text, style: console.print(Text(text, style=style), end=""))
        if prompt.answer_prefix:
            console.print(Text(prompt.answer_prefix, style="bold"), end="")
        with contextlib.suppress(KeyboardInterrupt):
            sampler.sample([SampleRequest(prompt.ids, f"turn/{turn}")], params, on_token=stream.push)
        stream.end()
        console.print("\n")
        turn += 1
