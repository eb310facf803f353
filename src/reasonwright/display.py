"""Progress: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console(highlight=False, soft_wrap=True)
SECONDS_BETWEEN_LINES = 15.0


class Bar:
    """Counts the steps of one piece of work. Use as a context manager.

    >>> with Bar("sft", total=2) as bar:
    ...     bar.advance(loss=0.51)
    """

    def __init__(self, title: str, total: int, done: int = 0):
        self.title, self.total, self.done, self.first = title, total, done, done
        self.started = self.last_line = time.monotonic()
        self.progress: Progress | None = None
        if console.is_terminal:
            self.progress = Progress(
                TextColumn("{task.description:<22}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.fields[shown]}"),
                console=console,
            )
            self.task = self.progress.add_task(title, total=total, completed=done, shown="")

    def __enter__(self) -> Bar:
        if self.progress:
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.progress:
            self.progress.stop()
        elif self.done > self.first:
            self._line("")

    def advance(self, by: int = 1, **shown: float) -> None:
        """Count `by` steps; `shown` are the figures beside the bar."""
        self.done += by
        text = "  ".join(f"{name} {value:.4g}" for name, value in shown.items())
        if self.progress:
            self.progress.update(self.task, completed=self.done, shown=text)
        elif time.monotonic() - self.last_line >= SECONDS_BETWEEN_LINES and self.done < self.total:
            self._line(text)

    def _line(self, text: str) -> None:
        self.last_line = now = time.monotonic()
        seconds = now - self.started
        rate = (self.done - self.first) / max(seconds, 1e-9)
        left = f", {max(0, self.total - self.done) / rate:.0f} s left" if rate and self.done < self.total else ""
        console.print(f"{self.title}: {self.done}/{self.total} in {seconds:.0f} s{left}  {text}", markup=False)
