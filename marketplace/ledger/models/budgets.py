"""Spending caps of an organization or of one of its keys."""

from django.db import models
from django.db.models import F, Q

from accounts.models import ApiKey, Organization
from marketplace.common import references
from marketplace.common.ids import PublicIdField
from marketplace.ledger.models.holds import Hold
from marketplace.ledger.querysets import BudgetQuerySet

MONTH, EVER = "month", "ever"
PERIODS = (MONTH, EVER)


class Budget(models.Model):
    """The most that may be promised and spent in a period: by the organization, through a key, for a standing order."""

    public_id = PublicIdField("bud")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="budgets", db_index=False)
    api_key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="budgets", db_index=False)
    order = models.CharField(max_length=40, blank=True)  # the public id of the standing order that it caps alone
    asset = models.CharField(max_length=40)
    livemode = models.BooleanField()
    period = models.CharField(max_length=5, default=MONTH)
    limit_minor = models.BigIntegerField()
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = BudgetQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(period__in=PERIODS), name="budget_period_known"),
            models.CheckConstraint(condition=Q(limit_minor__gte=0), name="budget_limit_not_negative"),
            models.UniqueConstraint(
                fields=["organization", "api_key", "order", "asset", "livemode", "period"], condition=Q(ended_at=None),
                name="budget_once", nulls_distinct=False,
            ),
        ]  # fmt: skip
        triggers = [
            references.stays("budget_stays"),
            references.keeps(
                "budget_keeps_what_it_caps",
                "organization",
                "api_key",
                "order",
                "asset",
                "livemode",
                "period",
                "public_id",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class BudgetPeriod(models.Model):
    """One month of a budget, or its only period: what is held and what was spent of its limit."""

    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="periods", db_index=False)
    start = models.DateField()
    limit_minor = models.BigIntegerField()
    held = models.BigIntegerField(default=0)
    spent = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["budget", "start"], name="budget_period_once"),
            models.CheckConstraint(condition=Q(held__gte=0, spent__gte=0), name="budget_parts_not_negative"),
            models.CheckConstraint(condition=Q(limit_minor__gte=F("held") + F("spent")), name="budget_never_exceeded"),
        ]
        triggers = [
            references.stays("budget_period_stays"),
            references.keeps("budget_period_keeps_its_place", "budget", "start"),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.start}"

    @property
    def left(self) -> int:
        """What may still be promised, in minor units."""
        return self.limit_minor - self.held - self.spent


class BudgetUse(models.Model):
    """A hold counts in a period of a budget, until it is closed."""

    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, related_name="budget_uses", db_index=False)
    period = models.ForeignKey(BudgetPeriod, on_delete=models.PROTECT, related_name="uses")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["hold", "period"], name="budget_use_once")]
        triggers = [references.stays("budget_use_stays"), references.keeps("budget_use_is_frozen", "hold", "period")]

    def __str__(self) -> str:
        return f"{self.hold_id} in {self.period_id}"
