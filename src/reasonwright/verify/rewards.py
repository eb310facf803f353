"""Rewards: the verifier's verdict and its named companions, weighted."""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Mapping

from reasonwright.chat import parse_completion
from reasonwright.types import Completion, Problem, Reward, UserError
from reasonwright.verify import grade

RewardFunction = Callable[[Problem, Completion], float]


class RewardScorer:
    """Scores completions of one run.

    value = accuracy weight x (1 if strict and right, else 0) + format weight x (1 if the text has the form)
    + length weight x (share of max_tokens left unused) + own functions by weight. Every part is kept, also at weight 0.
    Raises UserError at once where an import path leads nowhere.
    """

    def __init__(
        self, *, accuracy: float, format: float, length: float, functions: Mapping[str, float], max_tokens: int
    ):
        self.weights = {"accuracy": accuracy, "format": format, "length": length}
        self.functions = {path: (import_function(path), weight) for path, weight in functions.items()}
        self.max_tokens = max_tokens

    def __call__(self, problem: Problem, completion: Completion) -> Reward:
        verdict = grade(completion.text, problem.answer, problem.answer_kind)
        parts = {
            "accuracy": float(verdict.strict),
            "format": float(has_form(completion)),
            "length": 1 - len(completion.token_ids) / self.max_tokens,
        }
        own = {path: float(function(problem, completion)) for path, (function, _) in self.functions.items()}
        outcome = self.weights["accuracy"] * parts["accuracy"]
        outcome += sum(weight * own[path] for path, (_, weight) in self.functions.items())
        shaping = sum(self.weights[name] * parts[name] for name in ("format", "length"))
        return Reward(value=outcome + shaping, outcome=outcome, parts=parts | own, verdict=verdict)


def has_form(completion: Completion) -> bool:
    """One thought first, closed, then an answer, and the model ended its turn by itself."""
    parsed = parse_completion(completion.text)
    return parsed.has_think_form and completion.finish_reason == "stop" and bool((parsed.answer_text or "").strip())


def import_function(path: str) -> RewardFunction:
    """The function at "package.module:name"; a module in the working folder is found too, behind installed ones."""
    module, _, name = path.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"reward function {path!r} cannot be imported ({error}): write it as 'package.module:name'"
        ) from None
    if not callable(function):
        raise UserError(f"reward function {path!r} is not callable")
    return function


def coin(problem: Problem, completion: Completion) -> float:
    """A control: 1 or 0 by a hash of the completion's tokens, with no regard for the answer."""
    digest = hashlib.sha256(f"{problem.id}{completion.token_ids}".encode()).digest()
    return float(digest[0] & 1)


def form(problem: Problem, completion: Completion) -> float:
    """A control: 1 for the form, with no regard for the answer, as the outcome and not as shaping beside it."""
    return float(has_form(completion))
