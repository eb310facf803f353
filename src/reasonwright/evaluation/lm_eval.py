"""A second opinion: the same problems, asked and judged by lm-evaluation-harness on the same model folder, offline.

The harness renders the folder's chat template, generates greedily with transformers and judges with the filters of its
own `gsm8k_cot` task. Of ours it shares the problems alone, so that where both agree neither prompt, sampler nor
verifier flatters the figure; where they differ, each problem says why.
"""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasonwright.display import console
from reasonwright.evaluation.evaluate import Asking, Row
from reasonwright.evaluation.intervals import wilson
from reasonwright.evaluation.tables import make_table, share
from reasonwright.models.settings import LoadOptions
from reasonwright.runlog import write_json
from reasonwright.types import Problem, UserError

BATCH = 32
SHOWN = 10
FILTERS = {"strict": "strict-match", "lenient": "flexible-extract"}
"""Our verdict and the harness's filter that comes nearest to it."""


def check_possible(problems: Sequence[Problem], asking: Asking) -> None:
    """Raise UserError before anything is sampled where the harness cannot be asked."""
    if importlib.util.find_spec("lm_eval") is None:
        raise UserError("--via-lm-eval needs lm-evaluation-harness: pip install 'reasonwright[eval]'")
    if asking.mode != "chat":
        raise UserError(f"--via-lm-eval asks through the chat template: leave --mode {asking.mode} out")
    if any(problem.answer_kind != "number" for problem in problems):
        raise UserError("--via-lm-eval judges with the harness's filters for GSM8K, so answers must be numbers")


def cross_check(
    name: str,
    folder: Path,
    problems: Sequence[Problem],
    rows: Sequence[Row],
    asking: Asking,
    *,
    options: LoadOptions,
    out: Path | None,
) -> dict[str, Any]:
    """Ask the harness, print both figures and what explains their difference; all of it goes to OUT.lm-eval.json."""
    theirs = ask_harness(folder, problems, asking, options)
    result = explain(rows, theirs)
    n = len(rows)
    table = [
        [
            form,
            *(share(result[who][form] / n, wilson(result[who][form], n)) for who in ("ours", "lm_eval")),
            str(result["agree"][form]),
        ]
        for form in FILTERS
    ]
    console.print(
        make_table(f"{name}: cross-check, n = {n}", ("", "reasonwright, %", "lm-eval, %", "same verdict"), table)
    )
    shown = [[d["id"], d["form"], d["why"], d["detail"]] for d in result["differ"][:SHOWN]]
    if shown:
        whys = ", ".join(f"{count} by {why}" for why, count in Counter(d["why"] for d in result["differ"]).items())
        console.print(make_table(f"Different verdicts: {whys}", ("problem", "form", "why", "detail"), shown))
    if out:
        write_json(out.with_suffix(".lm-eval.json"), result)
    return result


def ask_harness(
    folder: Path, problems: Sequence[Problem], asking: Asking, options: LoadOptions
) -> list[dict[str, Any]]:
    """For each problem what the harness saw, heard and decided: {"prompt_ids", "text", "strict", "lenient", …}. It
    computes in float32, whatever we do."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "LMEVAL_LOG_LEVEL": "ERROR"}
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    from reasonwright.chat import ChatFormat
    from reasonwright.models.device import pick_device
    from reasonwright.models.load import load_tokenizer

    chat = ChatFormat(load_tokenizer(str(folder), trust_remote_code=options.trust_remote_code))
    lm = HFLM(
        pretrained=str(folder),
        dtype=torch.float32,
        device=pick_device(options.device),
        batch_size=BATCH,
        trust_remote_code=options.trust_remote_code,
    )
    if lm.max_length <= asking.max_tokens:
        raise UserError(f"lm-eval cannot ask: give --max-tokens less than the model's {lm.max_length} positions")
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "problems.jsonl"
        file.write_text("".join(json.dumps({"question": p.question, "answer": p.answer}) + "\n" for p in problems))
        done = lm_eval.simple_evaluate(
            lm,
            tasks=[harness_task(file, asking.max_tokens)],
            task_manager=TaskManager(include_defaults=False),
            apply_chat_template=True,
            bootstrap_iters=0,
        )
    assert done is not None
    samples: dict[int, dict[str, Any]] = {}
    for sample in done["samples"]["reasonwright_check"]:
        form = {theirs: ours for ours, theirs in FILTERS.items()}[sample["filter"]]
        one = samples.setdefault(
            sample["doc_id"], {"context": sample["arguments"][0][0], "text": sample["resps"][0][0]}
        )
        one[form], one[f"{form} extracted"] = bool(sample["exact_match"]), sample["filtered_resps"][0]
    special = lm.tokenizer.all_special_tokens
    for at, problem in enumerate(problems):
        one = samples[at]
        ids, _ = lm.tok_batch_encode([one["context"]], left_truncate_len=lm.max_length - asking.max_tokens)
        one["prompt_ids"], one["our_prompt_ids"] = ids[0].tolist(), chat.prompt(problem.question).ids
        one["special"] = special
    return [samples[at] for at in range(len(problems))]


def harness_task(file: Path, max_tokens: int) -> dict[str, Any]:
    """The harness's task: its own GSM8K filters and metric on our problems, without shots."""
    return {
        "task": "reasonwright_check",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file)}, "cache_dir": str(file.parent)},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": max_tokens},
        "filter_list": [
            {
                "name": "strict-match",
                "filter": [
                    {"function": "regex", "regex_pattern": r"The answer is (\-?[0-9\.\,]+)."},
                    {"function": "take_first"},
                ],
            },
            {
                "name": "flexible-extract",
                "filter": [
                    {"function": "regex", "group_select": -1, "regex_pattern": r"(-?[$0-9.,]{2,})|(-?[0-9]+)"},
                    {"function": "take_first"},
                ],
            },
        ],
        "metric_list": [
            {
                "metric": "exact_match",
                "aggregation": "mean",
                "higher_is_better": True,
                "ignore_case": True,
                "ignore_punctuation": False,
                "regexes_to_ignore": [",", r"\$", r"(?s).*#### ", r"\.$"],
            }
        ],
    }


def explain(rows: Sequence[Row], theirs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts of right answers by both and of equal verdicts, and for each different verdict the reason."""
    differ = [
        {"id": row["id"], "form": form, "ours": row[form], "lm_eval": other[form]} | _why(row, other, form)
        for row, other in zip(rows, theirs, strict=True)
        for form in FILTERS
        if row[form] != other[form]
    ]
    return {
        "n": len(rows),
        "ours": {form: sum(row[form] for row in rows) for form in FILTERS},
        "lm_eval": {form: sum(other[form] for other in theirs) for form in FILTERS},
        "agree": {form: len(rows) - sum(d["form"] == form for d in differ) for form in FILTERS},
        "differ": differ,
    }


def _why(row: Row, other: dict[str, Any], form: str) -> dict[str, str]:
    """The first of these in which the two differ: the prompt's tokens, the text's length, the text, its reading."""
    ours, theirs = other["our_prompt_ids"], other["prompt_ids"]
    if ours != theirs:
        if ours[-len(theirs) :] == theirs:
            return {"why": "truncation", "detail": f"lm-eval kept the last {len(theirs)} of {len(ours)} prompt tokens"}
        return {
            "why": "prompt",
            "detail": f"{len(ours)} tokens here, {len(theirs)} there: {_first_difference(ours, theirs)}",
        }
    said, heard = _bare(row["text"], other["special"]), _bare(other["text"], other["special"])
    if said != heard:
        if said.startswith(heard) or heard.startswith(said):
            return {"why": "truncation", "detail": f"{len(said)} characters here, {len(heard)} there"}
        return {"why": "decoding", "detail": f"texts part: {_first_difference(said, heard)}"}
    if form == "strict" and row["lenient"] and not row["strict"]:
        return {
            "why": "extraction",
            "detail": f"{row['gold']!r} is right, but here the whole form is asked for as well",
        }
    there = other[f"{form} extracted"]
    return {
        "why": "extraction",
        "detail": f"read as {row['extracted']!r} here, {there!r} there; right is {row['gold']!r}",
    }


def _bare(text: str, special: Sequence[str]) -> str:
    """Without white space and the special tokens that the harness leaves out."""
    for token in special:
        text = text.replace(token, "")
    return "".join(text.split())


def _first_difference(one: Sequence[Any], other: Sequence[Any]) -> str:
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return f"at {at}, {one[at : at + 12]!r} and {other[at : at + 12]!r}"
