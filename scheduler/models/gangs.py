"""Jobs that start together or not at all."""

import pgtrigger
from django.db import models
from django.db.models import Q

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from scheduler.core.types import MOST_IN_GANG
from scheduler.querysets import GangQuerySet

STARTS_TOGETHER = """
    IF EXISTS (
        SELECT FROM scheduler_gang AS gang WHERE gang.id = NEW.gang_id
        AND EXISTS (SELECT FROM scheduler_job WHERE id = NEW.id AND state = 'allocated') AND (
            gang.size <> (SELECT count(*) FROM scheduler_job WHERE gang_id = gang.id)
            OR EXISTS (SELECT FROM scheduler_job WHERE gang_id = gang.id AND state = 'queued')
            OR 1 < (
                SELECT count(DISTINCT allocation.start) FROM scheduler_job AS job
                JOIN scheduler_allocation AS allocation ON allocation.job_id = job.id AND allocation.live
                WHERE job.gang_id = gang.id
            )
        )
    ) THEN
        RAISE check_violation USING
            MESSAGE = format('gang %s does not start together: job %s would start without the others',
                             NEW.gang_id, NEW.public_id),
            CONSTRAINT = 'job_gang_starts_together', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
"""
HAS_ROOM = """
    PERFORM FROM scheduler_gang WHERE id = NEW.gang_id AND buyer_id = NEW.buyer_id AND segment = NEW.segment FOR UPDATE;
    IF NOT FOUND OR (SELECT count(*) FROM scheduler_job WHERE gang_id = NEW.gang_id)
                    >= (SELECT size FROM scheduler_gang WHERE id = NEW.gang_id) THEN
        RAISE check_violation USING
            MESSAGE = format('job %s does not belong in gang %s: it is full, of another buyer or of another family',
                             NEW.public_id, NEW.gang_id),
            CONSTRAINT = 'job_gang_has_room', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
"""


class Gang(models.Model):
    """A buyer's jobs of one name that take one start, `size` of them. The name is free again when all have ended."""

    public_id = PublicIdField("gng")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="gangs")
    name = models.CharField(max_length=64)
    size = models.PositiveSmallIntegerField()
    segment = models.CharField(max_length=40)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = GangQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(size__range=(2, MOST_IN_GANG)), name="gang_size_in_range"),
            models.UniqueConstraint(
                fields=["buyer", "name"], condition=Q(ended_at=None), name="gang_name_once_per_buyer"
            ),
        ]
        triggers = [
            references.stays("gang_stays"),
            references.keeps("gang_keeps_its_terms", "buyer", "size", "segment"),
        ]

    def __str__(self) -> str:
        return self.public_id


def starts_together() -> pgtrigger.Trigger:
    """No member of a gang is allocated unless all are there and none waits; looked at in COMMIT."""
    return pgtrigger.Trigger(
        name="job_gang_starts_together", level=pgtrigger.Row, when=pgtrigger.After,
        operation=pgtrigger.UpdateOf("state"),  # type: ignore[no-untyped-call]  # the library has no types here
        timing=pgtrigger.Deferred, func=STARTS_TOGETHER,
        condition=pgtrigger.Condition("NEW.gang_id IS NOT NULL AND NEW.state = 'allocated' AND OLD.state = 'queued'"),
    )  # fmt: skip


def has_room() -> pgtrigger.Trigger:
    """A gang has no more jobs than its size, all of its buyer and hardware family."""
    return pgtrigger.Trigger(
        name="job_gang_has_room", level=pgtrigger.Row, when=pgtrigger.Before, operation=pgtrigger.Insert,
        condition=pgtrigger.Condition("NEW.gang_id IS NOT NULL"), func=HAS_ROOM,
    )  # fmt: skip
