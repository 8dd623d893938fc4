"""Who gets scarce hours (matching.md, section 5): what an organization used, against its part; how long a job waited.

`over` is in ppm: 1,000,000 is exactly the organization's part. Work is in any one unit; what is worth something is in
mm per PFLOP-hour. Age and share decide who is served, never which offer a job prefers.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from scheduler.core.types import HOUR_S

Ints = npt.NDArray[np.int64]

Key = TypeVar("Key", bound=Hashable)
MAX_WAIT_S = 6 * HOUR_S
WHOLE = 10**6
LONGEST = 4  # a job of an organization far over its part falls due after at most so many times MAX_WAIT_S


class Party(NamedTuple):
    """An organization with use or queued jobs in a segment: its decayed work and its weight (at least 1)."""

    work: int
    weight: int


def overs(parties: Mapping[Key, Party]) -> dict[Key, int]:
    """Each party's part of all work over its part of all weight, in ppm, rounded down.

    While nobody used anything, nobody has more than its part: 0 for all.
    """
    work = sum(party.work for party in parties.values())
    weight = sum(party.weight for party in parties.values())
    return {key: party.work * weight * WHOLE // (work * party.weight) if work else 0 for key, party in parties.items()}


def share_mm(*, p_mid: int, over: int) -> int:
    """What an organization's place among the others adds to its asks: from p_mid/2 when it used nothing to -p_mid/2."""
    return p_mid * max(-WHOLE, min(WHOLE, WHOLE - over)) // (2 * WHOLE)


def age_mm(*, p_mid: int, waited_s: Ints) -> Ints:
    """What waiting adds to each ask: nothing at first, p_mid after MAX_WAIT_S and ever after."""
    return p_mid * np.clip(waited_s, 0, MAX_WAIT_S) // MAX_WAIT_S


def patience_s(over: int) -> int:
    """Seconds from when a job could start until it is due; more for an organization that is over its part."""
    return MAX_WAIT_S * max(WHOLE, min(LONGEST * WHOLE, over)) // WHOLE
