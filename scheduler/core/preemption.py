"""Who makes room: the interruptible work whose end loses least (matching.md, section 5, Interruptible).

For one hour this is the knapsack problem turned round: the cheapest set that frees at least so many units, exactly, by
dynamic programming over units (Bellman 1957). Hours are served one after the other, each counting on what the earlier
ones have freed, as the specification says; so a set is the best for its hour, not for all hours together.
"""

from collections.abc import Iterable, Mapping, Sequence

from scheduler.core.types import HOUR_S, Victim

FIRST_S = 600  # a run is left alone at first
OFTEN = 2  # preemptions of a job within a day, after which it is left alone
# Lost mm, then the number of victims, then seconds run together, in one number: its sums compare in that order.
LOST, ONE = 1 << 96, 1 << 64


def lost(victim: Victim, now_s: int) -> int:
    """mm of work that its end now would lose: since its last checkpoint, else since its start; 0 before that."""
    return victim.units * _seconds_lost(victim, now_s) * victim.price // 3600


def _seconds_lost(victim: Victim, now_s: int) -> int:
    if victim.started_s is None:
        return 0
    return max(0, now_s - max(victim.started_s, victim.saved_s or 0))


def spared(victim: Victim, now_s: int) -> bool:
    """Whether firm work may not end it: due, just begun, or preempted often enough."""
    begun = victim.started_s is not None and now_s - victim.started_s < FIRST_S
    return victim.due or begun or victim.preempted >= OFTEN


def choose(victims: Sequence[Victim], short: Mapping[int, int], now_s: int) -> tuple[Victim, ...] | None:
    """Who ends so that every hour of `short` (its start in unix seconds: units that lack) is served; None: nobody can.

    Of equal sets the one with fewer members, then the younger one, then the one whose members come first.
    """
    chosen: list[Victim] = []
    for hour, units in sorted(short.items()):
        lacks = units - freed(chosen, hour)
        if lacks > 0:
            found = _cheapest([each for each in victims if each not in chosen and _holds(each, hour)], lacks, now_s)
            if found is None:
                return None
            chosen += found
    return tuple(chosen)


def freed(victims: Iterable[Victim], hour: int) -> int:
    """Units that the end of `victims` frees in the hour that begins at `hour`."""
    return sum(each.units for each in victims if _holds(each, hour))


def _holds(victim: Victim, hour: int) -> bool:
    return victim.start_s < hour + HOUR_S and hour < victim.end_s


def _cheapest(candidates: Sequence[Victim], units: int, now_s: int) -> list[Victim] | None:
    """The set of least weight that frees `units`; `best[n]` is (weight, members as bits) of the best that frees n."""
    best: list[tuple[int, int] | None] = [(0, 0)] + [None] * units
    for number, each in enumerate(candidates):
        weight = _weight(each, now_s)
        for n in range(units, 0, -1):
            before = best[max(0, n - each.units)]
            if before is not None:
                grown = before[0] + weight, before[1] | 1 << number
                now = best[n]
                best[n] = grown if now is None else min(now, grown)
    last = best[units]
    return None if last is None else [each for number, each in enumerate(candidates) if last[1] >> number & 1]


def _weight(victim: Victim, now_s: int) -> int:
    age = 0 if victim.started_s is None else max(0, now_s - victim.started_s)
    return lost(victim, now_s) * LOST + ONE + age
