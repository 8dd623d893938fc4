"""The append-only journal of what happened."""

from datetime import datetime, timedelta
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.events.querysets import EventQuerySet, InvariantRunQuerySet

LATE_AFTER = timedelta(minutes=3)


class Event(models.Model):
    """One thing that happened to one object, written in the transaction that made it happen."""

    public_id = PublicIdField("evt")
    type = models.CharField(max_length=60)
    at = models.DateTimeField()
    object_id = models.CharField(max_length=40)
    object_seq = models.PositiveIntegerField()
    state = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    facts = models.JSONField(default=dict)
    buyer = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    provider = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["object_id", "object_seq"], name="event_once_per_object_and_step"),
        ]
        indexes = [
            models.Index(fields=["buyer", "id"], name="event_by_buyer"),
            models.Index(fields=["provider", "id"], name="event_by_provider"),
        ]
        triggers = [
            pgtrigger.Protect(name="event_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            references.exist(
                "event_parties_exist", buyer_id="accounts_organization", provider_id="accounts_organization"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.object_id}"


class InvariantRun(models.Model):
    """What the independent checker found in one snapshot of all tables. The last day of runs is kept."""

    KEPT, BROKEN, UNKNOWN = "kept", "broken", "unknown"
    OUTCOMES = (KEPT, BROKEN, UNKNOWN)

    public_id = PublicIdField("chk")
    finished_at = models.DateTimeField(db_index=True)
    outcome = models.CharField(max_length=10)
    ms = models.PositiveIntegerField()
    note = models.CharField(max_length=300, blank=True)  # why not everything was checked
    findings = models.JSONField(default=list)  # per check: id, promise, rows, ms, anomalies_total, anomalies

    objects = InvariantRunQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("check of the promises")
        verbose_name_plural = _("promises kept")
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=("kept", "broken", "unknown")), name="invariant_run_outcome_known"
            ),
            models.CheckConstraint(
                condition=~Q(outcome="kept") | Q(note=""), name="invariant_run_keeps_nothing_it_did_not_check"
            ),
            models.CheckConstraint(
                condition=~Q(outcome="unknown") | ~Q(note=""), name="invariant_run_says_why_it_does_not_know"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.finished_at:%Y-%m-%d %H:%M:%S} {self.outcome}"

    def is_late(self, now: datetime) -> bool:
        """Whether the next run should long be there: there is one each minute."""
        return now - self.finished_at > LATE_AFTER

    @property
    def broken(self) -> list[dict[str, Any]]:
        """The findings of promises that do not hold."""
        return [each for each in self.findings if each["anomalies_total"]]
