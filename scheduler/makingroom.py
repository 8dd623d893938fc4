"""The preemptions of a plan on their way into the database: who ends is told, and firm work gets its hours, at once."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
from django.db import transaction

from marketplace.booking.errors import CapacityTaken
from marketplace.booking.hours import hours_by_day
from marketplace.booking.services import take_hours
from marketplace.booking.taking import ALONE, Claims, lock_hours
from scheduler.asks import moment, seconds
from scheduler.core.types import HOUR_S, Preemption
from scheduler.models import Attempt
from scheduler.preempting import FIRM_WORK, give_notice, lock_open
from scheduler.snapshot import Shelf


class MakingRoom:
    """What a plan's preemptions need is locked as it is made: who must end, then the hours of the whole plan."""

    def __init__(self, preempting: Sequence[Preemption], claims: Claims) -> None:
        """`claims` are those of the whole plan, the preempting ones last."""
        self._preempting = preempting
        self._found = lock_open(name for each in preempting for name in each.victims)
        lock_hours(claims.and_also(_held(self._found.values())) if self._found else claims)

    def carry_out(self, stands: npt.NDArray[np.bool_], shelf: Shelf, now: datetime) -> npt.NDArray[np.bool_]:
        """For each preemption that `stands` whether its work has the hours now; each wholly or not at all."""
        pairs = zip(self._preempting, stands.tolist(), strict=True)
        return np.array([still and self._make(each, shelf, now) for each, still in pairs], dtype=np.bool_)

    def _make(self, made: Preemption, shelf: Shelf, now: datetime) -> bool:
        if not all(name in self._found for name in made.victims):
            return False
        victims, placement = [self._found[name] for name in made.victims], made.placement
        start, end = moment(placement.start_s), moment(placement.end_s)
        try:
            with transaction.atomic():
                for attempt in victims:
                    give_notice(attempt=attempt, cause=FIRM_WORK, now=now)
                wanted = hours_by_day(start, end, placement.units)
                take_hours(offer=shelf.offer(placement.offer), wanted=wanted, units=placement.units)
        except CapacityTaken:
            return False
        return True


def _held(attempts: Iterable[Attempt]) -> Claims:
    """What `attempts` hold, as claims."""
    rows = [
        (each.offer_id, seconds(each.start) // HOUR_S, -(-seconds(each.end) // HOUR_S), each.units, 0, ALONE)
        for each in (attempt.allocation for attempt in attempts)
    ]
    return Claims(*np.array(rows, dtype=np.int64).reshape(-1, 6).T)
