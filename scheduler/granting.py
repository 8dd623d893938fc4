"""What is left of a plan when jobs and hours are locked: placements that stand, and the rows that make them true."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from marketplace.booking.freezing import Promises, contracts_of
from marketplace.booking.models import Contract
from marketplace.catalog.models import Offer
from marketplace.common.copying import FEW, Rows, ask_keys, rows_of
from marketplace.common.ids import new_ids
from marketplace.common.sending import Answer
from scheduler.core.cutting import Span
from scheduler.core.types import Placement
from scheduler.explaining import PENDING
from scheduler.models import Allocation, Attempt, MatchRound
from scheduler.queue import Queue

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Outcome:
    """What became of a plan."""

    placed: int = 0
    conflicts: int = 0
    explained: bool = True  # False: the allocations wait for their reasons


@dataclass(frozen=True, slots=True)
class Grants:
    """Placements that still stand, as columns: where the job stands in the queue, how many attempts it had, the index
    of its offer in `offers`, times in unix seconds.

    `pieces` has all pieces of those in pieces, by job; their times are those of the first.
    """

    placed: Sequence[Placement]
    place: Ints
    tried: Ints
    offers: Sequence[Offer]
    offer: Ints
    units: Ints
    start_s: Ints
    end_s: Ints
    pieces: Mapping[str, Sequence[Span]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.placed)

    def of_offers(self, values: Sequence[Any]) -> npt.NDArray[Any]:
        """For each grant that of `values`, one for each offer, which is its offer's."""
        return np.array(values)[self.offer]


WriteRound = Callable[[Outcome], None]
Beside = tuple[Future[Rows], Future[WriteRound], Future[Rows], Future[Rows]]


def ask_keys_of_rows(count: int) -> Answer:
    """Reserve the keys of a round, of `count` contracts and of as many allocations."""
    return ask_keys((MatchRound, 1), (Contract, count), (Allocation, count))


class Lazily(Executor):
    """Runs what is submitted when its result is asked for, once."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Later(partial(call, *args, **kwargs))


class Later(Future[Any]):
    """What a call will give."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def result(self, timeout: float | None = None) -> Any:
        return self._call()


@contextmanager
def rows_beside(
    grants: Grants, queue: Queue, round_: MatchRound, keys: Sequence[Ints], told: Mapping[str, str],
    prepare_round: Callable[[], WriteRound], now: datetime,
) -> Iterator[Beside]:  # fmt: skip
    """Rows of contracts, the round's, those of allocations and attempts: a thread puts them together, in the order in
    which they are written, while the database is busy; few rows when they are asked for, since threads wait for each
    other. `keys` are those of `ask_keys_of_rows`.
    """
    rounds, contracts, allocations = (each[: len(grants)] for each in keys)
    round_.pk = round_.pk or int(rounds[0])
    public_ids = new_ids("alc", len(grants))
    promises = Promises(
        public_ids, queue.buyer[grants.place], grants.offers, grants.offer, grants.units, grants.start_s, grants.end_s
    )
    own = {"id": allocations, "public_id": public_ids, "contract": contracts}
    with Lazily() if len(grants) < FEW else ThreadPoolExecutor(1) as aside:
        yield (
            aside.submit(contracts_of, promises=promises, keys=contracts, now=now),
            aside.submit(prepare_round),
            aside.submit(_allocations_of, grants, queue, round_, own, told, now),
            aside.submit(_attempts_of, grants, queue, allocations, now),
        )


def _allocations_of(
    grants: Grants, queue: Queue, round_: MatchRound, own: Mapping[str, Any], told: Mapping[str, str], now: datetime
) -> Rows:
    pending = json.dumps({PENDING: True})
    columns: dict[str, Any] = {
        "job": queue.pk[grants.place],
        "offer": grants.of_offers([each.pk for each in grants.offers]),
        "round": round_.pk,
        "units": grants.units,
        "start": grants.start_s.astype("datetime64[s]"),
        "end": grants.end_s.astype("datetime64[s]"),
        "why": [told.get(each.ask, pending) for each in grants.placed],
        "live": True,
        "goes_on": [each.ask in grants.pieces for each in grants.placed] if grants.pieces else False,
        "created_at": now,
    }
    return rows_of(Allocation, len(grants), {**own, **columns})


def _attempts_of(grants: Grants, queue: Queue, allocations: Ints, now: datetime) -> Rows:
    columns: dict[str, Any] = {
        "public_id": new_ids("att", len(grants)), "job": queue.pk[grants.place], "allocation": allocations,
        "number": grants.tried + 1, "state": "pending", "reason": "", "message": "", "cpu_ms": 0,
        "peak_memory_bytes": 0, "log_bytes": 0, "version": 1, "created_at": now,
    }  # fmt: skip
    return rows_of(Attempt, len(grants), columns)
