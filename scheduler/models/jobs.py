"""A job, its attempts, and the allocation each attempt ran on."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from accounts.models import ApiKey, Organization, User
from marketplace.booking.models import Contract, Reservation
from marketplace.catalog.models import Offer
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from scheduler.models.gangs import Gang, has_room, starts_together
from scheduler.models.inside import stays_inside
from scheduler.models.queue import digests_ask, enters, leaves
from scheduler.querysets import AllocationQuerySet, AttemptQuerySet, JobQuerySet
from scheduler.shards import Shard
from scheduler.states import ATTEMPT, END_REASONS, JOB


class Job(models.Model):
    """What to run, its limits and preferences, and where it stands.

    No index names what a move changes, so a move writes the row alone; who waits stands in `QueueEntry`. One that has a
    reservation runs inside it and is no round's.
    """

    public_id = PublicIdField("job")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="jobs", db_index=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    name = models.CharField(max_length=80)
    file = models.JSONField()
    spec = models.JSONField()
    ask = models.JSONField()
    ask_sha256 = models.BinaryField(default=b"", editable=False)  # of `ask`, by the database: what equal asks share
    segment = models.CharField(max_length=40)  # its hardware family
    region_group = models.CharField(max_length=30, db_default="")  # where it waits now; empty: families are not split
    trip = models.JSONField(null=True)  # its way through the groups, see scheduler.shards.Trip
    gang = models.ForeignKey(Gang, on_delete=models.PROTECT, null=True, related_name="jobs", db_index=False)
    reservation = models.ForeignKey(
        Reservation, on_delete=models.PROTECT, null=True, related_name="jobs", db_index=False
    )
    units = models.PositiveIntegerField()
    time_limit_s = models.PositiveIntegerField()
    saved_s = models.PositiveIntegerField(default=0, db_default=0)  # so much of its work its last checkpoint holds
    retries = models.PositiveSmallIntegerField(default=2)
    ceiling_minor = models.BigIntegerField(null=True)  # the most it may cost, which is held of the wallet
    budget_stated = models.BooleanField(default=False)  # by its buyer; else it is what the dearest offer cost then
    budget_stop = models.BooleanField(default=False)  # no offer is too dear: it ends when its budget is used up
    start_after = models.DateTimeField(null=True)
    finish_by = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, default="queued")
    reason = models.CharField(max_length=20, blank=True)
    version = models.PositiveIntegerField(default=1)
    attempts_made = models.PositiveSmallIntegerField(default=0)
    excluded_sites = ArrayField(models.CharField(max_length=40), default=list)
    unplaced = models.JSONField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            JOB.constraint(),
            models.CheckConstraint(condition=Q(units__gte=1), name="job_has_units"),
            models.CheckConstraint(condition=Q(ceiling_minor__gte=0), name="job_ceiling_not_negative"),
            models.CheckConstraint(
                condition=Q(budget_stop=False) | Q(budget_stated=True, ceiling_minor__gte=1),
                name="job_stops_by_a_stated_budget",
            ),
            models.CheckConstraint(condition=Q(time_limit_s__range=(60, 604_800)), name="job_time_limit_in_range"),
            models.CheckConstraint(
                condition=Q(attempts_made__lte=F("retries") + 1), name="job_attempts_within_retries"
            ),
            models.CheckConstraint(
                condition=Q(state__in=JOB.final, finished_at__isnull=False)
                | Q(state__in=JOB.open, finished_at__isnull=True),
                name="job_finished_when_final",
            ),
            models.CheckConstraint(
                condition=~Q(state="queued") | Q(next_attempt_at__isnull=False), name="job_queued_has_its_turn"
            ),
        ]
        indexes = [
            models.Index(fields=["buyer", "-id"], name="job_by_buyer"),
            models.Index(fields=["gang"], condition=Q(gang__isnull=False), name="job_by_gang"),
            models.Index(fields=["reservation"], condition=Q(reservation__isnull=False), name="job_by_reservation"),
        ]
        triggers = [
            JOB.trigger(),
            references.stays("job_stays"),
            references.keeps("job_keeps_its_gang", "gang"),
            references.keeps("job_keeps_its_reservation", "reservation"),
            has_room(),
            starts_together(),
            digests_ask(),
            enters(),
            leaves(),
        ]

    @property
    def shard(self) -> Shard:
        """Where it waits, or waited last."""
        return Shard(self.segment, self.region_group)

    def __str__(self) -> str:
        return self.public_id


class Allocation(models.Model):
    """Units of one offer given to one job for whole hours, at a frozen price, and why.

    A round gives them at a contract of their own; inside a reservation they are part of what its contract bought.
    """

    public_id = PublicIdField("alc")
    job = models.ForeignKey(
        Job, on_delete=models.PROTECT, related_name="allocations", db_index=False, db_constraint=False
    )
    offer = models.ForeignKey(
        Offer, on_delete=models.PROTECT, related_name="allocations", db_index=False, db_constraint=False
    )
    contract = models.ForeignKey(
        Contract, on_delete=models.PROTECT, related_name="allocations", db_index=False, db_constraint=False
    )
    round = models.ForeignKey(
        "scheduler.MatchRound", on_delete=models.PROTECT, null=True, related_name="allocations", db_index=False,
        db_constraint=False,
    )  # fmt: skip
    reservation = models.ForeignKey(
        Reservation, on_delete=models.PROTECT, null=True, related_name="allocations", db_index=False,
        db_constraint=False,
    )  # fmt: skip
    units = models.PositiveIntegerField()
    start = models.DateTimeField()
    end = models.DateTimeField()
    why = models.JSONField()
    live = models.BooleanField(default=True)
    goes_on = models.BooleanField(default=False, db_default=False)  # it is a piece: the work does not end with it
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    objects = AllocationQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["job"], condition=Q(live=True), name="allocation_live_once_per_job"),
            models.UniqueConstraint(
                fields=["contract"], condition=Q(reservation=None), name="allocation_once_per_contract"
            ),
            models.CheckConstraint(
                condition=Q(round__isnull=False, reservation=None) | Q(round=None, reservation__isnull=False),
                name="allocation_by_round_or_inside",
            ),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="allocation_has_a_span"),
            models.CheckConstraint(
                condition=Q(live=True, released_at=None) | Q(live=False, released_at__isnull=False),
                name="allocation_live_until_released",
            ),
        ]
        indexes = [
            models.Index(fields=["offer", "start"], condition=Q(live=True), name="allocation_live_by_offer"),
            models.Index(
                fields=["reservation"],
                condition=Q(live=True, reservation__isnull=False),
                name="allocation_live_inside",
            ),
            # A round's allocations lie side by side: where they are is enough, and costs nothing to keep.
            BrinIndex(fields=["round"], autosummarize=True, pages_per_range=16, name="allocation_by_round"),
        ]
        triggers = [
            references.stays("allocation_stays"),
            references.keeps("allocation_keeps_its_parts", "job", "offer", "contract", "round", "reservation"),
            references.exist(
                "allocation_parts_exist", job_id="scheduler_job", offer_id="catalog_offer",
                contract_id="booking_contract", round_id="scheduler_matchround", once=("job_id", "contract_id"),
            ),
            stays_inside(),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id


class Attempt(models.Model):
    """One try at a job on its allocation; how it ended decides whether there is another."""

    public_id = PublicIdField("att")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="attempts", db_index=False, db_constraint=False)
    allocation = models.OneToOneField(Allocation, on_delete=models.PROTECT, related_name="attempt", db_constraint=False)
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, default="pending")
    reason = models.CharField(max_length=20, blank=True)
    message = models.CharField(max_length=400, blank=True)
    exit_code = models.IntegerField(null=True)
    progress = models.FloatField(null=True)
    cpu_ms = models.BigIntegerField(default=0)
    peak_memory_bytes = models.BigIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0)
    metered_at = models.DateTimeField(null=True)  # when a signed line last said what it used so far
    budget_s = models.PositiveIntegerField(null=True)  # what its job's money pays for, where once less than promised
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    preempt_by = models.DateTimeField(null=True)  # told to make room: the end of its notice
    preempt_cause = models.CharField(max_length=10, blank=True, db_default="")

    objects = AttemptQuerySet.as_manager()

    class Meta:
        ordering = ["number"]
        constraints = [
            ATTEMPT.constraint(),
            models.UniqueConstraint(fields=["job", "number"], name="attempt_number_once_per_job"),
            models.UniqueConstraint(fields=["job"], condition=Q(ended_at=None), name="attempt_live_once_per_job"),
            models.CheckConstraint(
                condition=Q(state="ended", ended_at__isnull=False, reason__in=END_REASONS)
                | (~Q(state="ended") & Q(ended_at=None, reason="")),
                name="attempt_ends_with_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(preempt_by=None) | ~Q(preempt_cause=""), name="attempt_makes_room_for_a_cause"
            ),
            models.CheckConstraint(
                condition=Q(metered_at=None) | Q(metered_at__gte=F("started_at"), started_at__isnull=False),
                name="attempt_is_metered_once_it_runs",
            ),
        ]
        indexes = [
            models.Index(
                fields=["preempt_by"], condition=Q(preempt_by__isnull=False, ended_at=None), name="attempt_to_end"
            )
        ]
        triggers = [
            ATTEMPT.trigger(),
            pgtrigger.Protect(
                name="attempt_budget_only_rises",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.state <> 'pending' "
                    "AND ((NEW.budget_s IS NULL) <> (OLD.budget_s IS NULL) OR NEW.budget_s < OLD.budget_s)"
                ),
            ),
            references.keeps("attempt_keeps_its_parts", "job", "allocation"),
            references.agree("attempt_is_of_its_allocation", "allocation_id", "scheduler_allocation", on="job_id"),
        ]

    def __str__(self) -> str:
        return self.public_id
