"""Does the thinking matter? Change a thought, let the model go on, and see whether its answer changes.

Measured on problems that the model answered right with at least one equation, so that the gold answer is its own:

- `last_step`: the result of the thought's last equation (checks and withdrawn ones aside) is replaced by a wrong
  number, the thought is cut behind that sentence, and the model goes on greedily;
- `earlier_step`: the same for an equation before it, drawn at random;
- `cut`: only the first half of the steps, then the thought is closed and the answer asked for;
- `removed`: an empty thought, then the answer.

`intact` is the whole thought, closed in the same way: what the others are compared with. A layout of the result:

```
n                     problems
intact                {accuracy, p_gold}
last_step, earlier_step, cut, removed:
  n, changed, ci95    share of the answers that differ from the intact one's
  accuracy            share that is still right
  p_gold              mean probability of the gold answer's tokens behind "The answer is"
  p_drop, p_drop_ci95 intact minus changed, on the same problems
  followed            (last_step) share that answers with the wrong number put in
tts                   {last_step, earlier_step: {n, mean, ci95, high_share}}
```

`tts` is the true-thinking score (arXiv:2510.24941): half of |S1(1) - S0(1)| + |S1(0) - S0(0)|, where S is the
probability of the answer when it is asked for right after the step, the step is intact (1) or its result wrong (0),
and so are the results before it (in brackets). `high_share` counts 0.7 and more. After an early step a small model
has no answer yet whatever the step says: its score there is low even where `earlier_step` shows that it is carried on.

Texts are tokenised again here, since edits are made in the text; this is measurement, nothing is trained on it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import torch

from reasonwright.chat import ANSWER_MARKER, ChatFormat, Prompt, PromptMode, render_completion
from reasonwright.data.packing import TokenSequence, pack
from reasonwright.evaluation.behaviours import Rows, share
from reasonwright.evaluation.statistics import middle, resamples
from reasonwright.models.forward import batch_logprobs
from reasonwright.sampling import SampleRequest, SamplingParams
from reasonwright.sampling.native import NativeSampler
from reasonwright.verify import grade
from reasonwright.verify.behaviours import Thought, read_thought, thought_of
from reasonwright.verify.literals import parse_number

ANSWER_TOKENS = 24
MICRO_BATCH_TOKENS = 16384
HIGH = 0.7
PLAIN = re.compile(r"[0-9][0-9, ]*(?:\.[0-9]+)?|\.[0-9]+")
"""A result that can be replaced by another one: no fraction."""
SENTENCE_END = re.compile(r"\n+|[.!?]\n+|[.!?](?=\s|$)|$")
CHANGES = ("last_step", "earlier_step", "cut", "removed")


@dataclass(frozen=True, slots=True)
class Case:
    """One problem, its intact thought, and the steps that are changed."""

    row: dict[str, Any]
    prompt: Prompt
    opening: str
    closing: str
    """What stands around a thought, up to the answer: "\\n</think>\\n\\nThe answer is"."""
    thought: Thought
    steps: list[int]
    """The equations that lead to the answer."""


def causal_check(
    model: Any,
    chat: ChatFormat,
    rows: Rows,
    *,
    count: int,
    max_tokens: int,
    mode: PromptMode = "chat",
    shots: Sequence[tuple[str, str, str]] = (),
) -> dict[str, Any] | None:
    """The figures above for the first `count` suitable rows of an evaluation in the same mode; None where none is."""
    suitable = (case for row in rows if row["lenient"] and (case := _case(chat, row, mode, shots)))
    cases = list(itertools.islice(suitable, count))
    if not cases:
        return None
    asker = _Asker(model, chat)
    intact = asker.ask(cases, [_closed(case, case.thought.text) for case in cases], ANSWER_TOKENS)
    result: dict[str, Any] = {
        "n": len(cases),
        "intact": {"accuracy": _mean(a.right for a in intact), "p_gold": _mean(a.p_gold for a in intact)},
    }
    for change in CHANGES:
        chosen = [i for i, case in enumerate(cases) if len(case.steps) > 1 or change in ("last_step", "removed")]
        changed = [_changed(cases[i], change) for i in chosen]
        tokens = max_tokens if change.endswith("step") else ANSWER_TOKENS
        answers = asker.ask([cases[i] for i in chosen], [text for text, _ in changed], tokens)
        result[change] = _compare([intact[i] for i in chosen], answers) if chosen else None
        if change == "last_step":
            result[change]["followed"] = _mean(a.value == put for a, (_, put) in zip(answers, changed, strict=True))
    several = [case for case in cases if len(case.steps) > 1]
    result["tts"] = {
        "last_step": _true_thinking(asker, cases, [case.steps[-1] for case in cases]),
        "earlier_step": _true_thinking(asker, several, [_earlier(case) for case in several]),
    }
    return result


def _case(chat: ChatFormat, row: dict[str, Any], mode: PromptMode, shots: Sequence) -> Case | None:
    thought = read_thought(thought_of(row["text"]), row["extracted"])
    aside = {j for j, _ in thought.checks} | {i for i, _ in thought.withdrawn}
    results = [thought.text[e.result_start : e.result_end] for e in thought.equations]
    steps = [i for i, result in enumerate(results) if i not in aside and PLAIN.fullmatch(result)]
    if not steps or parse_number(row["gold"]) is None:
        return None
    opening, closing = ("", f"\n{ANSWER_MARKER}")
    if mode == "chat":
        opening, closing = render_completion("\0", "").removesuffix(" .").split("\0")
    prompt = chat.prompt(row["question"], mode, shots)
    return Case(row, prompt, opening, closing, thought, steps)


def _closed(case: Case, thought: str) -> str:
    return case.opening + thought.rstrip() + case.closing


def _changed(case: Case, change: str) -> tuple[str, Fraction | None]:
    """What the model goes on from, and the wrong number that was put in."""
    if change == "removed":
        return _closed(case, ""), None
    if change == "cut":
        half = case.steps[len(case.steps) // 2 - 1]
        return _closed(case, case.thought.text[: _sentence_end(case.thought, half)]), None
    step = case.steps[-1] if change == "last_step" else _earlier(case)
    text, put = with_wrong_results(case.thought, step, {step}, case.row["id"])
    return case.opening + text, parse_number(put[step])


def _earlier(case: Case) -> int:
    return Random(case.row["id"]).choice(case.steps[:-1])


def with_wrong_results(thought: Thought, last: int, wrong: set[int], name: str) -> tuple[str, dict[int, str]]:
    """The thought up to the end of the sentence of equation `last`, with other results in the equations `wrong`; the
    numbers put in, which depend on (name, equation). A result said again in the same sentence is replaced too."""
    parts, put, at = [], {}, 0
    for i, equation in enumerate(thought.equations[: last + 1]):
        end = _sentence_end(thought, i)
        old = thought.text[equation.result_start : equation.result_end]
        if i in wrong and PLAIN.fullmatch(old):
            put[i] = wrong_number(old, Random(f"{name}/{i}"))
            parts.append(thought.text[at : equation.result_start])
            said = re.compile(rf"(?<![0-9.,]){re.escape(old)}(?![0-9]|[.,][0-9])")
            parts.append(said.sub(put[i], thought.text[equation.result_start : end]))
            at = end
    parts.append(thought.text[at : _sentence_end(thought, last)])
    return "".join(parts), put


def wrong_number(text: str, rng: Random) -> str:
    """Another number, one, two or ten off in its last place, written in the same way and not below zero.

    >>> wrong_number("1,000", Random(0)), wrong_number("0.5", Random(0))
    ('1,001', '0.6')
    """
    old = Decimal(text.replace(",", "").replace(" ", ""))
    place = Decimal(1).scaleb(int(old.as_tuple().exponent))
    new = rng.choice([v for k in (1, -1, 2, -2, 10, -10) if (v := old + k * place) >= 0])
    return f"{new:,}" if "," in text else str(new)


def _sentence_end(thought: Thought, step: int) -> int:
    """Where the sentence of an equation ends, line breaks included, or the next equation begins."""
    text, equations = thought.text, thought.equations
    at = equations[step].result_end
    end = SENTENCE_END.search(text, at)
    assert end is not None
    following = equations[step + 1].start if step + 1 < len(equations) else len(text)
    return min(end.end(), following) if following >= at else equations[step].end


@dataclass(frozen=True, slots=True)
class Answer:
    value: Fraction | None
    """The number that was answered, if any."""
    right: bool
    p_gold: float


class _Asker:
    """One model, asked to go on from texts."""

    def __init__(self, model: Any, chat: ChatFormat):
        self.model, self.chat = model, chat
        self.known: dict[tuple[str, str], float] = {}

    def ask(self, cases: Sequence[Case], texts: Sequence[str], max_tokens: int) -> list[Answer]:
        """Greedy continuations of prompt and text, and the gold answer's probability at their last answer sentence."""
        if not cases:
            return []
        params = SamplingParams(max_tokens=max_tokens, temperature=0, stop=cases[0].prompt.stop)
        requests = [SampleRequest(c.prompt.ids + self._ids(text), "") for c, text in zip(cases, texts, strict=True)]
        sampled = NativeSampler(self.model, self.chat).sample(requests, params)
        full = [text + completion.text for text, (completion,) in zip(texts, sampled, strict=True)]
        p_gold = self.p_gold(cases, ["".join(text.rpartition(ANSWER_MARKER)[:2]) for text in full])
        verdicts = [grade(text, case.row["gold"]) for case, text in zip(cases, full, strict=True)]
        values = [parse_number(v.extracted) if v.extracted else None for v in verdicts]
        return [Answer(value, v.lenient, p) for value, v, p in zip(values, verdicts, p_gold, strict=True)]

    @torch.inference_mode()
    def p_gold(self, cases: Sequence[Case], texts: Sequence[str]) -> list[float]:
        """Probability of " GOLD." behind each text; 0 behind an empty one, in which nothing was answered."""
        keys = [(case.row["id"], text) for case, text in zip(cases, texts, strict=True)]
        new = {key: case for key, case in zip(keys, cases, strict=True) if key[1] and key not in self.known}
        sequences = []
        for (_, text), case in new.items():
            before, whole = self._ids(text), self._ids(f"{text} {case.row['gold']}.")
            shared = next((i for i, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b), len(before))
            sequences.append(TokenSequence(case.prompt.ids + whole[:shared], whole[shared:]))
        total = torch.zeros(len(sequences))
        unused = [0.0] * len(sequences)
        for batch in pack(sequences, unused, micro_batch_tokens=MICRO_BATCH_TOKENS, join=False):
            logprobs, _ = batch_logprobs(self.model, batch.to(self.model.device))
            total.index_add_(0, batch.sequence_ids[batch.loss_mask], logprobs.cpu()[batch.loss_mask])
        self.known |= zip(new, total.exp().tolist(), strict=True)
        return [self.known.get(key, 0.0) for key in keys]

    def _ids(self, text: str) -> list[int]:
        return self.chat.completion_ids(text)[:-1]


def _compare(intact: Sequence[Answer], changed: Sequence[Answer]) -> dict[str, Any]:
    drop = np.array([a.p_gold - b.p_gold for a, b in zip(intact, changed, strict=True)])
    differs = share(np.array([a.value != b.value for a, b in zip(intact, changed, strict=True)]))
    return {
        "n": len(drop),
        "changed": differs["share"],
        "ci95": differs["ci95"],
        "accuracy": _mean(b.right for b in changed),
        "p_gold": _mean(b.p_gold for b in changed),
        "p_drop": float(drop.mean()),
        "p_drop_ci95": middle(resamples(len(drop)) @ drop / len(drop)),
    }


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _true_thinking(asker: _Asker, cases: Sequence[Case], steps: Sequence[int]) -> dict[str, Any] | None:
    """The scores of one step a case."""
    if not cases:
        return None
    S: dict[tuple[bool, bool], np.ndarray] = {}  # (context intact, step intact) -> [n]
    for context in (True, False):
        for intact in (True, False):
            texts = []
            for case, step in zip(cases, steps, strict=True):
                wrong = (set() if context else set(range(step))) | (set() if intact else {step})
                texts.append(_closed(case, with_wrong_results(case.thought, step, wrong, case.row["id"])[0]))
            S[context, intact] = np.array(asker.p_gold(cases, texts))
    scores = (abs(S[True, True] - S[True, False]) + abs(S[False, True] - S[False, False])) / 2
    return {
        "n": len(scores),
        "mean": float(scores.mean()),
        "ci95": middle(resamples(len(scores)) @ scores / len(scores)),
        "high_share": float(np.mean(scores >= HIGH)),
    }
