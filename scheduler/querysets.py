"""Questions about jobs, and the guarded writes that services build on."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import ExpressionWrapper, F, Func, Q, Value

from accounts.models import Organization
from marketplace.catalog.models import Site, Tier
from marketplace.common.querysets import PublicQuerySet
from scheduler.core.types import START_MARGIN_S
from scheduler.shards import Shard

if TYPE_CHECKING:
    from scheduler.models import Agent, Allocation, Attempt, Gang, Job, Lease, Piece, QueueEntry  # noqa: F401

START_MARGIN = timedelta(seconds=START_MARGIN_S)


class ClockTimestamp(Func):
    """The database's clock at this very moment; nothing else decides when a lease ends."""

    template = "clock_timestamp()"
    output_field = models.DateTimeField()


class JobQuerySet(PublicQuerySet["Job"]):
    def of(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(buyer__in=list(organizations))

    def waiting(self) -> Self:
        """Jobs that wait, found by the queue."""
        return self.filter(state="queued", entry__isnull=False)

    def queue(self, shard: Shard, now: datetime) -> Self:
        """Jobs whose turn has come in a shard, those due first."""
        there = self.filter(state="queued", entry__segment=shard.family, entry__region_group=shard.group)
        return there.filter(next_attempt_at__lte=now).order_by("entry__due_at", "entry__job_id")

    def unless_locked(self) -> Self:
        """Those that no transaction has locked; they stay locked until the end of this one."""
        free = self.order_by("pk").select_for_update(skip_locked=True, of=("self",))
        return type(self)(self.model).filter(pk__in=free.values("pk"))

    def unlocked_in_turn(self) -> Self:
        """These jobs by their keys under their row locks, but for those that somebody else has locked."""
        return self.order_by("pk").select_for_update(skip_locked=True, of=("self",))

    def as_seen(self, job: "Job") -> Self:
        """The job under its row lock, if it is as it was read and nobody else has it."""
        there = self.filter(pk=job.pk, version=job.version, state=job.state)
        return there.select_for_update(skip_locked=True, of=("self",))

    def window_over(self, now: datetime) -> Self:
        """Waiting jobs that could not finish in their window any more: no start is left that a round may take."""
        left_s = F("time_limit_s") - F("saved_s")
        run = ExpressionWrapper(left_s * Value(timedelta(seconds=1)), output_field=models.DurationField())
        return self.waiting().filter(finish_by__lt=now + run + START_MARGIN)

    def ahead_inside(self, job: "Job") -> Self:
        """Who waits before `job` inside its reservation."""
        there = self.filter(reservation=job.reservation_id, state="queued").exclude(pk=job.pk)
        return there.filter(Q(due_at__lt=job.due_at) | Q(due_at=job.due_at, pk__lt=job.pk))

    def with_story(self) -> Self:
        """With everything the job page tells, in a constant number of queries."""
        return self.select_related("buyer", "gang", "reservation").prefetch_related(
            "attempts__allocation__offer__site__zone",
            "attempts__artifacts",
            "attempts__allocation__contract",
            "attempts__allocation__reservation__contract",
            "attempts__allocation__reservation__changes__contract",
            "inputs__upload",
        )


class PieceQuerySet(PublicQuerySet["Piece"]):
    def waiting(self) -> Self:
        """Those that are promised and have not begun."""
        return self.filter(begun_at=None, released_at=None)

    def with_terms(self) -> Self:
        """With what their begin or end needs."""
        return self.select_related(
            "job__buyer", "contract__offer__site__provider", "contract__offer__hardware", "round"
        )


class QueueEntryQuerySet(models.QuerySet["QueueEntry"]):
    def before(self, job: "Job") -> Self:
        """Who goes before `job`, or with it, in its segment."""
        return self.filter(segment=job.segment, due_at__lte=job.due_at).exclude(pk=job.pk)


class GangQuerySet(PublicQuerySet["Gang"]):
    def astray(self) -> Self:
        """Gangs that have not ended although some job has, or of which some wait while others do not."""
        there = self.filter(ended_at=None)
        ended = there.filter(jobs__finished_at__isnull=False)
        torn = there.filter(jobs__state="queued").filter(jobs__state__in=("allocated", "starting", "running"))
        return self.filter(Q(pk__in=ended.values("pk")) | Q(pk__in=torn.values("pk")))


class AllocationQuerySet(PublicQuerySet["Allocation"]):
    def live(self) -> Self:
        return self.filter(live=True)


class AttemptQuerySet(PublicQuerySet["Attempt"]):
    def open(self) -> Self:
        return self.filter(ended_at=None)

    def promised_from(self, shard: Shard, moment: datetime) -> Self:
        """Attempts promised a start after `moment` in a shard, but for those of gangs and those in pieces, which were
        planned together, and those inside reservations, which stay there."""
        there = self.filter(
            state="pending", allocation__live=True, allocation__start__gt=moment, job__state="allocated",
            job__segment=shard.family, job__region_group=shard.group, job__gang=None, job__cancel_requested_at=None,
            allocation__reservation=None, allocation__goes_on=False, allocation__contract__piece=None,
        )  # fmt: skip
        return there.select_related(
            "job__buyer", "allocation__contract", "allocation__offer__site__provider", "allocation__offer__hardware"
        ).order_by("job__due_at", "pk")

    def interruptible(self) -> Self:
        """Attempts that may be told to make room and have not been; not those of gangs, which end as one, nor those
        inside reservations, whose units are firm."""
        live = self.open().filter(allocation__live=True, preempt_by=None, job__gang=None, allocation__reservation=None)
        return live.filter(allocation__offer__tier=Tier.INTERRUPTIBLE)

    def running_since(self, moment: datetime) -> Self:
        """Those that run, and ran then."""
        return self.filter(state="running", ended_at=None, started_at__lte=moment)

    def with_terms(self) -> Self:
        """With what an end of theirs needs."""
        return self.select_related("job__buyer", "allocation__offer__site__provider", "allocation__offer__hardware")

    def claimable_at(self, sites: models.QuerySet[Site], now: datetime) -> Self:
        """Attempts allocated to `sites` whose start has come and that no agent holds."""
        return self.filter(
            state="pending", allocation__offer__site__in=sites, allocation__live=True, allocation__start__lte=now
        ).order_by("allocation__start", "pk")


class AgentQuerySet(PublicQuerySet["Agent"]):
    def of_providers(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(site__provider__in=list(organizations)).select_related("site")


class LeaseQuerySet(PublicQuerySet["Lease"]):
    def live(self) -> Self:
        return self.filter(ended_at=None)

    def held(self, public_id: str, epoch: int) -> Self:
        """The lease, if this epoch still holds it by the database's clock."""
        return self.filter(public_id=public_id, epoch=epoch, ended_at=None, expires_at__gt=ClockTimestamp())

    def expired(self) -> Self:
        return self.filter(ended_at=None, expires_at__lte=ClockTimestamp())

    def unheard(self) -> Self:
        """Leases that still hold and never had a heartbeat."""
        return self.filter(heard_at=None, ended_at=None, expires_at__gt=ClockTimestamp())
