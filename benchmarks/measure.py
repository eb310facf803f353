"""Time and memory of either side, on either device."""

from __future__ import annotations

import resource

import torch


def finished() -> None:
    """Waits for what a GPU still has to do."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def peak_mib() -> int:
    """Of the GPU's memory where one was used, else of the process's."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated() // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
