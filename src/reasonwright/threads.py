"""How torch's CPU threads wait for each other. Imported before torch, whose OpenMP reads the environment once."""

from __future__ import annotations

import os


def wait_briefly() -> None:
    """Threads spin for about 0.1 ms for the next piece of work and then sleep; what the user has set stays.

    Neither extreme will do on two cores. Always asleep, a decode step's hundreds of small products each wait for a
    thread to wake: GRPO on the embedded base sampled half as fast. Spinning as long as by default, with another program
    on one of the cores, 2,000 small products took 57 s instead of 1.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # of any OpenMP
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # of GNU's, in the place of its policy
