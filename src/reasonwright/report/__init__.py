"""The report of a run: one self-contained HTML page made from the files of the run folder, and from nothing else."""

from reasonwright.report.build import build_report
from reasonwright.report.compare import compare_runs

__all__ = ["build_report", "compare_runs"]
