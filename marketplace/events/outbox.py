"""Calls to the world outside that commit with the rows that ask for them, and are made afterwards, by a worker.

A call is claimed for a while (`LEASE`) and by number (`epoch`): a worker that comes back after its time finds that its
number is past, and writes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self, TypeVar

from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce

LEASE = timedelta(seconds=60)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(hours=1)
OPEN = ("new", "sending", "unknown")
STATES = (*OPEN, "done", "failed")
Row = TypeVar("Row", bound="OutboxRow")


class OutboxRow(models.Model):
    """One call: what became of it, how often it was tried, and when it is tried next."""

    state = models.CharField(max_length=8, default="new")
    tries = models.PositiveIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    first_sent_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(state__in=STATES), name="%(class)s_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=OPEN, done_at=None) | (~Q(state__in=OPEN) & Q(done_at__isnull=False)),
                name="%(class)s_done_has_its_time",
            ),
        ]
        indexes = [models.Index(fields=["next_try_at"], condition=Q(state__in=OPEN), name="%(class)s_to_send")]


class OutboxQuerySet(models.QuerySet[Row]):
    """Questions to an outbox, and the guarded writes of its worker."""

    def due(self, now: datetime) -> Self:
        """What is to be tried now, the oldest first."""
        return self.filter(state__in=OPEN, next_try_at__lte=now).order_by("next_try_at", "pk")

    @transaction.atomic
    def claim(self, *, now: datetime, most: int) -> list[Row]:
        """Take up to `most` due rows, that no other worker has, for a while."""
        rows = list(self.due(now).select_for_update(skip_locked=True, of=("self",))[:most])
        self._renew(rows, now)
        return list(self.filter(pk__in=[row.pk for row in rows]).order_by("pk"))

    def _renew(self, rows: Sequence[Row], now: datetime) -> None:
        self.model._base_manager.filter(pk__in=[row.pk for row in rows]).update(
            state="sending", tries=F("tries") + 1, epoch=F("epoch") + 1, next_try_at=now + LEASE,
            first_sent_at=Coalesce("first_sent_at", now),
        )  # fmt: skip

    def finish(self, row: Row, *, state: str, now: datetime, error: str = "") -> bool:
        """The row is `done` or `failed`; False when another worker has claimed it meanwhile."""
        return self._mine(row).update(state=state, done_at=now, error=error[:400]) == 1

    def put_off(self, row: Row, *, now: datetime, error: str, after: timedelta | None = None) -> bool:
        """It is not known what became of it: again with the same key, later each time."""
        wait = after or min(FIRST_WAIT * 2 ** min(row.tries, 20), LONGEST_WAIT)
        return self._mine(row).update(state="unknown", next_try_at=now + wait, error=error[:400]) == 1

    def _mine(self, row: Row) -> Self:
        return self.filter(pk=row.pk, epoch=row.epoch, state="sending")
