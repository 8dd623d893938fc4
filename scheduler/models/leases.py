"""Agents beside the machines and their fenced rights to run attempts."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import ApiKey
from marketplace.catalog.models import Site
from marketplace.common.ids import PublicIdField
from scheduler.models.jobs import Attempt
from scheduler.querysets import AgentQuerySet, LeaseQuerySet


class Agent(models.Model):
    """The program on a provider's machine that pulls work for one site."""

    public_id = PublicIdField("agt")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="agents")
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=80)
    engine = models.CharField(max_length=20)
    agent_version = models.CharField(max_length=40)
    platform = models.JSONField(default=dict)
    devices = models.JSONField(default=list)
    units = models.PositiveIntegerField()
    public_key = models.CharField(max_length=60)
    sealing_key = models.CharField(max_length=60)
    clock_skew_ms = models.BigIntegerField(default=0)
    registered_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="agent_name_once_per_site")]

    def __str__(self) -> str:
        return self.name


class Lease(models.Model):
    """An agent's right to run one attempt until it expires; the epoch fences whoever held it before."""

    public_id = PublicIdField("lse")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="leases")
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="leases")
    epoch = models.PositiveIntegerField()
    granted_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    heard_at = models.DateTimeField(null=True)  # its last heartbeat; none: the agent may not know that it holds it
    ended_at = models.DateTimeField(null=True)

    objects = LeaseQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["attempt"], condition=Q(ended_at=None), name="lease_live_once_per_attempt"),
            models.UniqueConstraint(fields=["attempt", "epoch"], name="lease_epoch_once_per_attempt"),
            models.CheckConstraint(condition=Q(epoch__gte=1), name="lease_epoch_positive"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("granted_at")), name="lease_has_a_span"),
        ]
        indexes = [models.Index(fields=["expires_at"], condition=Q(ended_at=None), name="lease_live_by_expiry")]
        triggers = [
            pgtrigger.Trigger(
                name="lease_epoch_rises",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    IF NEW.epoch <= (
                        SELECT coalesce(max(epoch), 0) FROM scheduler_lease WHERE attempt_id = NEW.attempt_id
                    ) THEN RAISE EXCEPTION 'lease epoch must rise' USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Protect(
                name="lease_ends_once", operation=pgtrigger.Update, condition=pgtrigger.Q(old__ended_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
