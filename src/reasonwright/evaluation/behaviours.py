"""What a model's thoughts do, measured on its greedy answers: checking, taking back, thinking longer, right steps.

`eval/behaviours.json` holds an object for each stage ("base_cot", the control, "sft", "grpo", "student"):

```
n                    answers
verification, backtracking:
  rate, ci95         share of the thoughts that check an earlier result (take one back), found in their equations
  keyword_rate       share with words such as "let me check" ("wait"), which decide nothing
  minus_base         {difference, ci95}: rate minus the base model's on the same problems; null for the base
  usefulness         {difference, ci95, n_with, n_without, accuracy_with, accuracy_without}: accuracy with minus without
                     the behaviour, at equal difficulty; null where fewer than 10 thoughts have it, or lack it
  examples           up to three {id, earlier, later}: the two equations
thinking:
  tokens, steps      mean length of a thought in tokens, and in equations
  slope_tokens, slope_tokens_ci95, slope_steps, slope_steps_ci95
                     least squares on difficulty: more tokens (equations) a level; null where there are not two levels
  by_difficulty      [{difficulty, n, tokens, steps, accuracy, verification, backtracking}]
steps:
  n, valid_share, ci95       equations, and the share that is arithmetically right
  right_from_wrong_steps     {share, ci95, n}: of n right answers, those with a wrong equation that was not taken back
  wrong_from_valid_steps     {share, ci95, n}: of n wrong answers with equations, those whose equations are all right:
                             the error lies in reading the question
causal               what `evaluation/causal.py` says, or null
```

Accuracy is lenient here, so that the base model is measured by its thoughts and not by a form that it never saw.
Intervals of shares are Wilson's; the others are percentiles of 1,000 bootstrap samples of the *problems*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reasonwright.evaluation.intervals import wilson
from reasonwright.evaluation.statistics import middle, resamples
from reasonwright.verify.behaviours import BACK_WORDS, CHECK_WORDS, Thought, read_thought, thought_of

Rows = Sequence[dict[str, Any]]
EXAMPLES = 3
FEWEST = 10
"""Thoughts with and without a behaviour from which its usefulness is told: a bootstrap of three is no interval."""


@dataclass(frozen=True)
class Thoughts:
    """The thoughts behind `n` answers, in the order of the problems; every array is [n]."""

    ids: list[str]
    thoughts: list[Thought]
    right: np.ndarray
    difficulty: np.ndarray
    """NaN where the task does not say."""
    tokens: np.ndarray

    def has(self, behaviour: str) -> np.ndarray:
        return np.array([getattr(t, BEHAVIOURS[behaviour][0]) for t in self.thoughts], dtype=float)


BEHAVIOURS = {"verification": ("verifies", CHECK_WORDS), "backtracking": ("backtracks", BACK_WORDS)}


def read_answers(rows: Rows, count_tokens: Callable[[str], int]) -> Thoughts:
    """The thoughts of an evaluation's rows (`evaluate_model`)."""
    texts = [thought_of(row["text"]) for row in rows]
    return Thoughts(
        [row["id"] for row in rows],
        [read_thought(text, row["extracted"]) for text, row in zip(texts, rows, strict=True)],
        np.array([row["lenient"] for row in rows], dtype=float),
        np.array([np.nan if row["difficulty"] is None else row["difficulty"] for row in rows], dtype=float),
        np.array([count_tokens(text) for text in texts], dtype=float),
    )


def measure(answers: Thoughts, base: Thoughts | None = None) -> dict[str, Any]:
    """A stage's figures, in the layout above but for `causal`. `base` answered the same problems."""
    if base is not None and base.ids != answers.ids:
        raise ValueError("the base model answered other problems")
    W = resamples(len(answers.ids))
    return {
        "n": len(answers.ids),
        **{name: _behaviour(name, answers, base, W) for name in BEHAVIOURS},
        "thinking": _thinking(answers, W),
        "steps": _steps(answers, W),
    }


def _behaviour(name: str, answers: Thoughts, base: Thoughts | None, W: np.ndarray) -> dict[str, Any]:
    has, words = answers.has(name), BEHAVIOURS[name][1]
    minus_base = None
    if base is not None:
        gain = has - base.has(name)
        minus_base = {"difference": float(gain.mean()), "ci95": middle(W @ gain / len(gain))}
    return {
        "rate": float(has.mean()),
        "ci95": wilson(int(has.sum()), len(has)),
        "keyword_rate": float(np.mean([bool(words.search(t.text)) for t in answers.thoughts])),
        "minus_base": minus_base,
        "usefulness": usefulness(has, answers.right, answers.difficulty, W),
        "examples": _examples(name, answers),
    }


def usefulness(has: np.ndarray, right: np.ndarray, difficulty: np.ndarray, W: np.ndarray) -> dict[str, Any] | None:
    """Accuracy with minus without, over strata of equal difficulty weighted by n1 n0 / (n1 + n0) (Mantel-Haenszel;
    Greenland & Robins 1985, Biometrics 41:55). Not a causal claim: see `causal` for one."""
    if min(has.sum(), (1 - has).sum()) < FEWEST:
        return None
    level = np.where(np.isnan(difficulty), -1, difficulty)
    total = np.zeros(len(W) + 1)
    weight = np.zeros(len(W) + 1)
    everyone = np.vstack([np.ones(len(has)), W])
    for d in np.unique(level):
        here = level == d
        n1, n0 = everyone @ (here * has), everyone @ (here * (1 - has))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where((n1 > 0) & (n0 > 0), n1 * n0 / (n1 + n0), 0.0)
            gap = everyone @ (here * has * right) / n1 - everyone @ (here * (1 - has) * right) / n0
        total += np.where(share > 0, share * np.nan_to_num(gap), 0.0)
        weight += share
    if weight[0] == 0:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        differences = total / weight
    return {
        "difference": float(differences[0]),
        "ci95": middle(differences[1:]),
        "n_with": int(has.sum()),
        "n_without": int((1 - has).sum()),
        "accuracy_with": float(right[has == 1].mean()),
        "accuracy_without": float(right[has == 0].mean()),
    }


def _examples(name: str, answers: Thoughts) -> list[dict[str, str]]:
    found = []
    for id_, thought in zip(answers.ids, answers.thoughts, strict=True):
        pairs = [(i, j) for j, i in thought.checks] if name == "verification" else thought.withdrawn
        for i, j in pairs[:1]:
            earlier, later = thought.equations[i], thought.equations[j]
            found.append(
                {
                    "id": id_,
                    "earlier": thought.text[earlier.start : earlier.end],
                    "later": thought.text[later.start : later.end],
                }
            )
    return found[:EXAMPLES]


def _thinking(answers: Thoughts, W: np.ndarray) -> dict[str, Any]:
    steps = np.array([len(t.equations) for t in answers.thoughts], dtype=float)
    known = ~np.isnan(answers.difficulty)
    figures: dict[str, Any] = {"tokens": float(answers.tokens.mean()), "steps": float(steps.mean())}
    for name, y in (("tokens", answers.tokens), ("steps", steps)):
        x = answers.difficulty[known]
        figures[f"slope_{name}"], figures[f"slope_{name}_ci95"] = slope(x, y[known], W[:, known])
    figures["by_difficulty"] = [
        {
            "difficulty": int(d),
            "n": int((here := answers.difficulty == d).sum()),
            "tokens": float(answers.tokens[here].mean()),
            "steps": float(steps[here].mean()),
            "accuracy": float(answers.right[here].mean()),
            **{name: float(answers.has(name)[here].mean()) for name in BEHAVIOURS},
        }
        for d in np.unique(answers.difficulty[known])
    ]
    return figures


def _steps(answers: Thoughts, W: np.ndarray) -> dict[str, Any]:
    total = np.array([len(t.equations) for t in answers.thoughts], dtype=float)
    valid = np.array([sum(e.valid for e in t.equations) for t in answers.thoughts], dtype=float)
    wrong_steps = np.array([t.wrong_steps > 0 for t in answers.thoughts])
    right = answers.right == 1
    n = int(total.sum())
    with np.errstate(invalid="ignore"):
        samples = W @ valid / (W @ total)
    return {
        "n": n,
        "valid_share": float(valid.sum() / n) if n else None,
        "ci95": middle(samples),
        "right_from_wrong_steps": share(wrong_steps[right]),
        "wrong_from_valid_steps": share(~wrong_steps[~right & (total > 0)]),
    }


def share(flags: np.ndarray) -> dict[str, Any]:
    """{share, ci95, n} of true flags; share null where there is none."""
    n, true = len(flags), int(flags.sum())
    return {"share": true / n if n else None, "ci95": wilson(true, n), "n": n}


def slope(x: np.ndarray, y: np.ndarray, W: np.ndarray) -> tuple[float | None, tuple[float, float] | None]:
    """Least squares of y on x, and its bootstrap interval; W: [S, n] how often each point is in each sample."""
    if len(np.unique(x)) < 2:
        return None, None
    x, y = x - x.mean(), y - y.mean()

    def fit(w: np.ndarray) -> np.ndarray:
        n, sx, sy = w.sum(-1), w @ x, w @ y
        with np.errstate(divide="ignore", invalid="ignore"):
            return (n * (w @ (x * y)) - sx * sy) / (n * (w @ (x * x)) - sx * sx)

    return float(fit(np.ones(len(x)))), middle(fit(W))
