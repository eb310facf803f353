"""Small byte-level tokenizers, each with one of the habits that real ones have."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

END, START, TURN, BOS = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<s>"
TEXTS = ["Question: The shop sold 12 apples. Answer: The answer is 12. Let's think step by step."] * 20
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PREFILLED = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")


def make(
    specials: tuple[str, ...] = (END,), added: tuple[str, ...] = (), template: str | None = None, **names: Any
) -> PreTrainedTokenizerFast:
    """A BPE tokenizer with `specials` as control tokens and `added` as ordinary added tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **({"eos_token": END, "pad_token": END} | names))
    fast.add_tokens([AddedToken(token, special=False, normalized=False) for token in added])
    fast.chat_template = template
    return fast


def plain() -> PreTrainedTokenizerFast:
    return make()


def chatml() -> PreTrainedTokenizerFast:
    return make((END, START, TURN), template=CHATML)


def chatml_tags() -> PreTrainedTokenizerFast:
    return make((END, START, TURN), ("<think>", "</think>"), CHATML)


def chatml_prefilled() -> PreTrainedTokenizerFast:
    return make((END, START, TURN), ("<think>", "</think>"), PREFILLED)


def with_bos(ends_too: bool = False) -> PreTrainedTokenizerFast:
    """Puts a BOS (and an EOS) around every text, as Llama's (and T5's) tokenizer does."""
    fast = make((END, BOS), bos_token=BOS)
    single = f"{BOS} $A {END}" if ends_too else f"{BOS} $A"
    ids = [(token, fast.convert_tokens_to_ids(token)) for token in (BOS, END)]
    fast.backend_tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=ids)
    return fast


def with_bos_and_eos() -> PreTrainedTokenizerFast:
    return with_bos(ends_too=True)


def with_space_runs() -> PreTrainedTokenizerFast:
    """Runs of spaces are added tokens, as in GPT-NeoX's."""
    return make((END,), ("  ", "    "))


def neox(folder: Path) -> PreTrainedTokenizerFast:
    tokenizer = _neox(folder / "tokenizer_neox" / "tokenizer.json")
    tokenizer.chat_template = None  # all that a ChatFormat sets
    return tokenizer


@functools.cache
def _neox(file: Path) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_file=str(file), eos_token=END, pad_token=END)


MAKERS = {
    f.__name__: f for f in (plain, chatml, chatml_tags, chatml_prefilled, with_bos, with_bos_and_eos, with_space_runs)
}
