"""The report of a run: one self-contained HTML page made from the files of the run folder, and from nothing else."""

from reasonwright.report.build import build_report

__all__ = ["build_report"]
