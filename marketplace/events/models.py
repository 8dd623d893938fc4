"""The append-only journal of what happened."""

import pgtrigger
from django.db import models

from accounts.models import Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.events.querysets import EventQuerySet


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
