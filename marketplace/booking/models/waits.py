"""The waiting list: who wants hours that are not free, in the order in which they came."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import ApiKey, Organization
from marketplace.booking.models.promises import Reservation
from marketplace.booking.querysets import WaitQuerySet
from marketplace.booking.states import WAIT
from marketplace.common import references
from marketplace.common.ids import PublicIdField

TERMS = (
    "buyer", "api_key", "family", "units", "hours", "where", "start_after", "start_by", "reserve", "public_id",
    "created_at",
)  # fmt: skip


class Wait(models.Model):
    """`units` for `hours` of what `where` describes, wanted between `start_after` and `start_by`; without, the soonest.

    Who came first has the lower key. `reservation` serves it, once: held for an answer, or confirmed where `reserve`
    says so. `ahead` and `expected_start` are as of `looked_at`.
    """

    public_id = PublicIdField("wai")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="waits")
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    family = models.CharField(max_length=40)
    units = models.PositiveIntegerField()
    hours = models.PositiveIntegerField()
    where = models.JSONField()
    start_after = models.DateTimeField(null=True)
    start_by = models.DateTimeField(null=True)
    reserve = models.BooleanField(default=False)
    state = models.CharField(max_length=10, default="waiting")
    reservation = models.OneToOneField(Reservation, on_delete=models.PROTECT, null=True, related_name="wait")
    ahead = models.PositiveIntegerField(default=0)
    expected_start = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = WaitQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            WAIT.constraint(),
            models.CheckConstraint(condition=Q(units__gte=1, hours__range=(1, 168)), name="wait_has_units_and_hours"),
            models.CheckConstraint(
                condition=Q(start_by=None) | Q(start_after=None) | Q(start_by__gte=F("start_after")),
                name="wait_starts_in_its_window",
            ),
            models.CheckConstraint(
                condition=Q(state="served", reservation__isnull=False) | ~Q(state="served") & Q(reservation=None),
                name="wait_served_by_a_reservation",
            ),
        ]
        indexes = [
            models.Index(fields=["family", "id"], condition=Q(state="waiting"), name="wait_in_turn"),
            models.Index(fields=["buyer", "-id"], name="wait_by_buyer"),
        ]
        triggers = [
            WAIT.trigger(),
            references.stays("wait_stays"),
            references.keeps("wait_keeps_its_terms", *TERMS),
            pgtrigger.Protect(
                name="wait_is_served_once", operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__reservation__isnull=False)
                & pgtrigger.Q(old__reservation__df=pgtrigger.F("new__reservation")),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.public_id
