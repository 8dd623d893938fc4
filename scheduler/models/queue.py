"""The queue: which jobs wait, where and since when, apart from the jobs themselves.

A job's row is wide and moved by thousands. With the queue in an index of its table every move would write the row into
each of its indexes again; so no index of jobs speaks of their state, a move stays on its page (a heap-only tuple), and
the queue is a table of its own that the database fills.
"""

import pgtrigger
from django.db import models

from scheduler.querysets import QueueEntryQuerySet

ENTER = """
    INSERT INTO scheduler_queueentry (job_id, segment, region_group, due_at)
    VALUES (NEW.id, NEW.segment, NEW.region_group, NEW.due_at)
    ON CONFLICT (job_id) DO UPDATE
    SET segment = EXCLUDED.segment, region_group = EXCLUDED.region_group, due_at = EXCLUDED.due_at;
    RETURN NULL;
"""
LEAVE = """
    DELETE FROM scheduler_queueentry WHERE job_id = NEW.id;
    RETURN NULL;
"""
DIGEST = """
    NEW.ask_sha256 = sha256(convert_to(NEW.ask::text, 'UTF8'));
    RETURN NEW;
"""


class QueueEntry(models.Model):
    """That a job waits. Every queued job has one, but for those inside reservations, which are no round's; of a job
    that is not queued it says nothing.

    A plan takes the jobs it allocated out by itself, all in one statement.
    """

    job = models.OneToOneField(
        "scheduler.Job", on_delete=models.PROTECT, primary_key=True, related_name="entry", db_constraint=False
    )
    segment = models.CharField(max_length=40)
    region_group = models.CharField(max_length=30, db_default="")
    due_at = models.DateTimeField()

    objects = QueueEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "queue entries"
        indexes = [models.Index(fields=["segment", "region_group", "due_at", "job"], name="queue_in_turn")]

    def __str__(self) -> str:
        return f"{self.job_id} in {self.segment}"


def enters() -> pgtrigger.Trigger:
    """A job that waits stands in the queue, where and since when its row says."""
    return pgtrigger.Trigger(
        name="job_enters_queue", level=pgtrigger.Row, when=pgtrigger.After, func=ENTER,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("state", "segment", "region_group", "due_at"),  # type: ignore[no-untyped-call]  # the library has no types here
        condition=pgtrigger.Condition("NEW.state = 'queued' AND NEW.reservation_id IS NULL"),
    )  # fmt: skip


def leaves() -> pgtrigger.Trigger:
    """A job that ends where it waits stands in the queue no more."""
    return pgtrigger.Trigger(
        name="job_leaves_queue", level=pgtrigger.Row, when=pgtrigger.After, func=LEAVE,
        operation=pgtrigger.UpdateOf("state"),  # type: ignore[no-untyped-call]  # the library has no types here
        condition=pgtrigger.Condition("OLD.state = 'queued' AND NEW.state <> ALL('{queued,allocated}'::text[])"),
    )  # fmt: skip


def digests_ask() -> pgtrigger.Trigger:
    """Equal asks have equal digests, whoever writes them: a round reads what thousands of jobs ask for only once."""
    return pgtrigger.Trigger(
        name="job_digests_ask", level=pgtrigger.Row, when=pgtrigger.Before, func=DIGEST,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("ask", "ask_sha256"),  # type: ignore[no-untyped-call]  # the library has no types here
    )  # fmt: skip
