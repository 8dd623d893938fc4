"""Standing orders: units that an organization wants reserved for the hours ahead, and the hours that were bought."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import ApiKey, Organization
from marketplace.booking.models.promises import Reservation
from marketplace.booking.querysets import StandingHourQuerySet, StandingOrderQuerySet
from marketplace.booking.states import STANDING_ORDER
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger.models import Budget

PRICE, GREENNESS, CAPACITY, MONEY, SHELF = "price", "greenness", "capacity", "money", "shelf"
SHORT = (PRICE, GREENNESS, CAPACITY, MONEY, SHELF)
MOST_AHEAD = 167  # hours; quotes end within a week, and the running hour is not bought
TERMS = ("buyer", "api_key", "budget", "units", "where", "ahead_hours", "block_hours", "ends_at", "public_id")

# The row of the order is locked, so that neither ending it nor pausing it comes between.
WITHIN_ORDER = """
    SELECT * INTO wanted FROM booking_standingorder WHERE id = NEW.order_id FOR SHARE;
    IF wanted.state <> 'active' OR NEW.units <> wanted.units OR NEW.hour <> date_trunc('hour', NEW.hour, 'UTC') THEN
        RAISE check_violation USING
            MESSAGE = format('standing order %s is %s and wants %s units of a whole hour, not %s from %s',
                             wanted.public_id, wanted.state, wanted.units, NEW.units, NEW.hour),
            CONSTRAINT = 'standing_hour_within_order', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
"""


class StandingOrder(models.Model):
    """`units` of what `where` describes, reserved for the next `ahead_hours`, bought in blocks of `block_hours`.

    `where` are limits as quotes have them, among them the highest price; `budget` caps a month. `short` says why an
    hour ahead is not reserved; its state does not change for that.
    """

    public_id = PublicIdField("sto")
    buyer = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="standing_orders")
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    budget = models.OneToOneField(Budget, on_delete=models.PROTECT, related_name="standing_order")
    units = models.PositiveIntegerField()
    where = models.JSONField()
    ahead_hours = models.PositiveIntegerField()
    block_hours = models.PositiveIntegerField()
    ends_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, default="active")
    short = models.CharField(max_length=10, blank=True)
    looked_at = models.DateTimeField(null=True)
    look_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = StandingOrderQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            STANDING_ORDER.constraint(),
            models.CheckConstraint(condition=Q(units__gte=1), name="standing_order_has_units"),
            models.CheckConstraint(
                condition=Q(ahead_hours__range=(1, MOST_AHEAD), block_hours__range=(1, F("ahead_hours"))),
                name="standing_order_looks_ahead",
            ),
            models.CheckConstraint(condition=Q(short__in=("", *SHORT)), name="standing_order_short_known"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("created_at")), name="standing_order_ends_later"
            ),
        ]
        indexes = [
            models.Index(fields=["look_at"], condition=Q(state="active"), name="standing_order_to_look_at"),
            models.Index(fields=["buyer", "-id"], name="standing_order_by_buyer"),
        ]
        triggers = [
            STANDING_ORDER.trigger(),
            references.stays("standing_order_stays"),
            references.keeps("standing_order_keeps_its_terms", *TERMS),
        ]

    def __str__(self) -> str:
        return self.public_id


class StandingHour(models.Model):
    """The reservation that keeps one hour of a standing order: one row an hour, with the units that it wants.

    Only while the order is active can a row be added. One whose reservation was lost is removed and may be bought anew.
    """

    order = models.ForeignKey(StandingOrder, on_delete=models.PROTECT, related_name="hours", db_index=False)
    hour = models.DateTimeField()
    units = models.PositiveIntegerField()
    reservation = models.ForeignKey(Reservation, on_delete=models.PROTECT, related_name="standing_hours")

    objects = StandingHourQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["order", "hour"], name="standing_hour_once")]
        triggers = [
            pgtrigger.Trigger(
                name="standing_hour_within_order", level=pgtrigger.Row, when=pgtrigger.Before,
                operation=pgtrigger.Insert, declare=[("wanted", "booking_standingorder%ROWTYPE")], func=WITHIN_ORDER,
            ),
            pgtrigger.Protect(name="standing_hour_is_frozen", operation=pgtrigger.Update),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.order_id} {self.hour:%Y-%m-%d %H}"
