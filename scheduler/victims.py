"""Database → victims: the interruptible work on machines that firm work or their provider may want back."""

from collections.abc import Collection
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, Q

from marketplace.booking.pricing import all_in_rate_mm
from scheduler.asks import seconds
from scheduler.core.types import Victim
from scheduler.models import Attempt, Piece
from scheduler.snapshot import Shelf

LATELY = timedelta(hours=24)


def victims_of(offers: Collection[int], now: datetime) -> tuple[Victim, ...]:
    """What runs or waits on the interruptible `offers` (keys) and was not told to end, in the order of its allocations.

    No agent tells of checkpoints yet, so nothing is known to be saved.
    """
    often = Count(
        "job__attempts", filter=Q(job__attempts__reason="preempted", job__attempts__ended_at__gt=now - LATELY)
    )
    rows = Attempt.objects.interruptible().filter(allocation__offer__in=offers)
    counts = dict(rows.annotate(often=often).values_list("pk", "often"))
    rows = rows.select_related("job", "allocation__contract", "allocation__offer__twin").order_by("allocation")
    return tuple(_victim(each, counts.get(each.pk, 0), now) for each in rows)


def _victim(attempt: Attempt, preempted: int, now: datetime) -> Victim:
    allocation = attempt.allocation
    offer, contract = allocation.offer, allocation.contract
    return Victim(
        id=allocation.public_id, offer=offer.public_id, twin=offer.twin.public_id if offer.twin else "",
        units=allocation.units, start_s=seconds(allocation.start), end_s=seconds(allocation.end),
        notice_s=offer.notice_s,
        price=all_in_rate_mm(contract.rate_mm[0], contract.electricity_mm, contract.added_fee_bp, contract.tax_bp),
        started_s=seconds(attempt.started_at) if attempt.started_at else None,
        preempted=preempted, due=attempt.job.due_at <= now,
    )  # fmt: skip


def promised_pieces(offers: Collection[int]) -> tuple[Victim, ...]:
    """The later pieces promised on the interruptible `offers` (keys), which lose nothing: only their provider may take
    them back, by the public ids that their allocations would have."""
    rows = Piece.objects.waiting().filter(contract__offer__in=offers).with_terms().order_by("pk")
    return tuple(
        Victim(
            id=each.public_id, offer=each.contract.offer.public_id, twin="", units=each.contract.units,
            start_s=seconds(each.contract.start), end_s=seconds(each.contract.end),
            notice_s=each.contract.offer.notice_s, price=0,
        )
        for each in rows
    )  # fmt: skip


def victims_on(shelf: Shelf, now: datetime) -> tuple[Victim, ...]:
    """The same of all interruptible offers whose firm twin is on the shelf."""
    loose, firm = shelf.twins
    offers = loose[np.isin(firm, shelf.keys)].tolist()
    return victims_of(offers, now) if offers else ()
