"""Clocks that nobody can set back.

Leases, limits and usage are measured by the boot clock: it goes on while the machine sleeps and never jumps with the
date. The wall clock is only shown to people and told to the marketplace, which works out the skew.
"""

import time
from pathlib import Path


def boot_seconds() -> float:
    """Seconds since this machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The id of this start of the machine: boot seconds of another start mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
