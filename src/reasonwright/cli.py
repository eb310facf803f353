"""The command line: its arguments, and how a command ends."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from reasonwright import __version__, commands
from reasonwright.types import UserError

USER_ERROR, INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point.

    Exit status: 0 done; 2 what the user can mend, a full disk too; 3 a run that was not reproduced; 130 stopped by
    Ctrl-C and 143 by SIGTERM, at the next step and with its checkpoint committed (a second signal ends the process at
    once); 1 a bug.
    """
    parser = _parser()
    arguments, overrides = parser.parse_known_args(argv)
    if overrides and not hasattr(arguments, "recipe"):
        parser.error(f"unknown arguments: {' '.join(overrides)}")
    arguments.overrides = overrides
    try:
        arguments.command(arguments)
    except UserError as error:
        sys.exit(_fail(str(error)))
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(_fail(f"{error.filename}: {error.strerror}"))
    except KeyboardInterrupt as stop:
        print("\nstopped; the same command goes on from the last checkpoint", file=sys.stderr)
        sys.exit(getattr(stop, "exit_status", INTERRUPTED))


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return USER_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasonwright",
        description="Teach a small language model to reason: SFT, GRPO with verifiable rewards, rejection sampling "
        "and distillation. A model is a hub id, a folder, embedded:base or embedded:student.",
        epilog="Exit status: 0 done, 2 a mistake or a full disk, 130 stopped by Ctrl-C, 143 by SIGTERM, 1 a bug. "
        "Training stops at its next step with a checkpoint, at a second signal at once; the same command goes on.",
    )
    parser.add_argument("--version", action="version", version=f"reasonwright {__version__}")
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def recipe_command(
        name: str, help: str, function, starts: bool = False, checks: bool = False
    ) -> argparse.ArgumentParser:
        command = subcommands.add_parser(
            name,
            help=help,
            allow_abbrev=False,  # --seed is a recipe's key and not short for --seeds
            description=help + " Any key of the recipe can be set as --KEY VALUE, such as --grpo.steps 20.",
        )
        command.add_argument("recipe", type=Path, help="a YAML file, such as recipes/demo.yaml")
        command.add_argument("--out", type=Path, help="the run folder (default: runs/NAME)")
        command.add_argument(
            "--accept-changes", action="store_true", help="go on in a folder that was started with other settings"
        )
        if starts:
            command.add_argument(
                "--from", dest="start", metavar="MODEL", help="start from this model, not the earlier stage's"
            )
        if checks:
            command.add_argument(
                "--force", action="store_true", help="start GRPO though it is doomed by the pre-flight"
            )
        command.set_defaults(command=function)
        return command

    recipe_command("run", "All stages of a recipe; goes on where it stopped.", commands.run, checks=True)
    recipe_command("plan", "What a recipe will need: memory by part, seconds by stage.", commands.plan)
    recipe_command("check", "Pre-flight: would GRPO learn anything? Samples 32 problems.", commands.check, starts=True)
    recipe_command("sft", "Stage 1 of a recipe: supervised fine-tuning.", commands.sft)
    recipe_command(
        "grpo", "Stage 2: reinforcement learning with verifiable rewards.", commands.grpo, starts=True, checks=True
    )
    recipe_command("sample", "Stage 3a: rejection sampling.", commands.sample, starts=True)
    recipe_command("distill", "Stage 3b: the student on the kept solutions, and on the SFT data.", commands.distill)

    ablate = recipe_command(
        "ablate", "Controls: GRPO against the same with one thing changed, in one table.", commands.ablate
    )
    ablate.add_argument("--arms", metavar="A,B,…", help="such as random_reward,no_kl (default: all that are possible)")
    ablate.add_argument("--seeds", type=int, nargs="+", help="of the training (default: the recipe's)")

    pretrain = subcommands.add_parser("pretrain", help="Make an embedded base model from nothing (hours).")
    pretrain.add_argument("shape", choices=("base", "student", "tiny"))
    pretrain.add_argument("--out", type=Path, required=True, help="folder of the model and its checkpoints")
    pretrain.add_argument("--from", dest="start", metavar="MODEL", help="go on from this model, with a seed of its own")
    pretrain.add_argument(
        "--part", choices=("all", "ages", "older"), default="all", help="of the corpus (default: all)"
    )
    pretrain.add_argument("--steps", type=_at_least(1), required=True, help="of 4,096 tokens each")
    pretrain.add_argument("--rate", type=float, default=5e-3, help="highest learning rate (default: 0.005)")
    pretrain.add_argument("--seed", type=int, default=0)
    pretrain.set_defaults(command=commands.pretrain)

    evaluate = subcommands.add_parser(
        "evaluate",
        help="Accuracy of models on a task, with intervals and paired differences.",
        description="Greedy accuracy, strict and lenient; with --samples also average@k, pass@k and maj@k. 95 % "
        "intervals, models compared in pairs. Answers are kept (in $REASONWRIGHT_CACHE, else ~/.cache/reasonwright): "
        "the same again is read, not sampled, and what was stopped goes on.",
    )
    evaluate.add_argument("models", nargs="+", metavar="MODEL")
    evaluate.add_argument("--task", required=True, metavar="NAME[:PATH]")
    evaluate.add_argument("--problems", type=_at_least(1), default=1000, help="at most so many (default: 1000)")
    evaluate.add_argument("--mode", choices=("chat", "direct", "cot"), default="chat", help="prompt (default: chat)")
    evaluate.add_argument(
        "--shots", type=_at_least(0), default=0, help="worked examples before the question, with --mode cot"
    )
    evaluate.add_argument("--max-tokens", type=_at_least(1), default=512)
    evaluate.add_argument(
        "--samples", type=_at_least(1), metavar="K", help="also sample K answers a problem: average@K, pass@k, maj@k"
    )
    evaluate.add_argument("--temperature", type=temperature, default=1.0, help="of the samples (default: 1)")
    evaluate.add_argument("--top-p", type=float, default=1.0, help="of the samples (default: 1)")
    evaluate.add_argument("--seed", type=int, default=0, help="of the samples, and of problems that a generator makes")
    evaluate.add_argument("--fresh", action="store_true", help="ask again, whatever was kept")
    evaluate.add_argument(
        "--via-lm-eval", action="store_true", help="have lm-evaluation-harness ask too, and explain differences"
    )
    evaluate.add_argument("--skip-bad-rows", action="store_true")
    _add_load_options(evaluate)
    evaluate.add_argument("--out", type=Path, help="folder for each model's figures (.json) and answers (.jsonl)")
    evaluate.set_defaults(command=commands.evaluate)

    reproduce = subcommands.add_parser("reproduce", help="Run a finished run's recipe again and compare.")
    reproduce.add_argument("run", type=Path, metavar="RUN")
    reproduce.add_argument("--out", type=Path, help="the new run folder (default: RUN-reproduced)")
    reproduce.set_defaults(command=commands.reproduce)

    behaviours = subcommands.add_parser(
        "behaviours", help="What the thoughts of a run's models do, and whether they matter: eval/behaviours.json."
    )
    behaviours.add_argument("run", type=Path, metavar="RUN")
    behaviours.set_defaults(command=commands.behaviours)

    report = subcommands.add_parser("report", help="Write report.html from a run folder.")
    report.add_argument("run", type=Path, metavar="RUN")
    report.add_argument("--open", action="store_true", help="show it in the browser")
    report.add_argument(
        "--watch", action="store_true", help="write it anew every few seconds until the run is finished"
    )
    report.set_defaults(command=commands.report)

    compare = subcommands.add_parser("compare", help="Several runs on one page, with paired differences.")
    compare.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    compare.add_argument("--out", type=Path, default=Path("compare.html"), help="the page (default: compare.html)")
    compare.add_argument("--open", action="store_true", help="show it in the browser")
    compare.set_defaults(command=commands.compare)

    chat = subcommands.add_parser("chat", help="Ask a model in the terminal.")
    chat.add_argument("model", metavar="MODEL")
    chat.add_argument("--mode", choices=("chat", "direct", "cot"), default="chat")
    chat.add_argument("--temperature", type=temperature, default=0.0)
    chat.add_argument("--max-tokens", type=_at_least(1), default=512)
    chat.add_argument("--seed", type=int, default=0)
    _add_load_options(chat)
    chat.set_defaults(command=commands.chat)

    tasks = subcommands.add_parser("tasks", help="The tasks there are, with a sample problem each.")
    tasks.set_defaults(command=commands.tasks)
    return parser


def _add_load_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    command.add_argument("--compute", choices=("float32", "bfloat16"), default="float32", help="(default: float32)")
    command.add_argument("--trust-remote-code", action="store_true", help="run the code that a model comes with")


def _at_least(lowest: int):
    """An argument's type: a whole number that is not below `lowest`."""

    def number(text: str) -> int:
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text} is less than {lowest}")
        return int(text)

    return number


def temperature(text: str) -> float:
    if not 0 <= float(text) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: give 0 (greedy) or more")
    return float(text)
