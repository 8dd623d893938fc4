"""Spending caps: what is promised counts at once, before the promise, and what comes back counts no more.

Every hold for a booking passes here, in the period in which it is made. Locks: the hold, then periods by key, then
accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from accounts.models import ApiKey, Organization
from marketplace.common.errors import FieldProblem, IllegalState, StaleVersion, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.models import Event
from marketplace.events.services import record
from marketplace.ledger.errors import BudgetExceeded
from marketplace.ledger.models import Budget, BudgetPeriod, BudgetUse, Hold
from marketplace.ledger.models.budgets import EVER, MONTH, PERIODS

BEGIN = date(2000, 1, 1)  # of a period without end
NEAR_PERCENT = 80
COUNT = """
    UPDATE ledger_budgetperiod AS period
    SET held = period.held - moved.captured - moved.released, spent = period.spent + moved.captured
    FROM (
        SELECT used.period_id AS id, sum(part.captured) AS captured, sum(part.released) AS released
        FROM ledger_budgetuse AS used
        JOIN unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS part(hold, captured, released)
             ON part.hold = used.hold_id
        GROUP BY used.period_id
    ) AS moved WHERE period.id = moved.id
"""


@dataclass(frozen=True, slots=True)
class Through:
    """Through what an organization promises money, if through anything: a key, a standing order's public id."""

    api_key: ApiKey | None = None
    order: str = ""


DIRECTLY = Through()


@transaction.atomic
def set_budget(
    *, organization: Organization, api_key: ApiKey | None, asset: str, livemode: bool, limit_minor: int, now: datetime,
    period: str = MONTH, order: str = "",
) -> Budget:  # fmt: skip
    """A new cap. What was promised before does not count. Raises ValidationFailed, IllegalState where there is one."""
    if limit_minor < 0:
        raise ValidationFailed([FieldProblem("/limit_minor", "bad_value", "must be 0 or more", "0")])
    if period not in PERIODS:
        raise ValidationFailed([FieldProblem("/period", "bad_value", f"{period} is no period", "month or ever")])
    try:
        with transaction.atomic():
            return Budget.objects.create(
                public_id=new_id("bud"), organization=organization, api_key=api_key, asset=asset, livemode=livemode,
                order=order, period=period, limit_minor=limit_minor, created_at=now,
            )  # fmt: skip
    except IntegrityError as error:
        raise IllegalState("there is such a budget", hint="change its limit, or end it") from error


@transaction.atomic
def change_limit(*, budget: Budget, limit_minor: int, version: int, now: datetime) -> Budget:
    """Another limit from now on. Raises BudgetExceeded when more is promised and spent already, StaleVersion."""
    if Budget.objects.filter(pk=budget.pk, version=version, ended_at=None).update(
        limit_minor=limit_minor, version=F("version") + 1
    ) != 1:  # fmt: skip
        raise StaleVersion(f"{budget.public_id} was changed meanwhile", id=budget.public_id)
    budget.refresh_from_db()
    period = (
        BudgetPeriod.objects.select_for_update(of=("self",)).filter(budget=budget, start=_start(budget, now)).first()
    )
    if period is not None:
        if period.held + period.spent > limit_minor:
            raise _exceeded(budget, period, 0)
        BudgetPeriod.objects.filter(pk=period.pk).update(limit_minor=limit_minor)
    return budget


@transaction.atomic
def end_budget(*, budget: Budget, now: datetime) -> None:
    """The cap is no more; what counted in it is kept."""
    Budget.objects.filter(pk=budget.pk, ended_at=None).update(ended_at=now, version=F("version") + 1)


def take(*, hold: Hold, through: Through, now: datetime) -> None:
    """Count a new hold in each budget that caps it. Raises BudgetExceeded; let it end the transaction."""
    mine = Budget.objects.that_cap(
        hold.organization, through.api_key, asset=hold.asset, livemode=hold.livemode, order=through.order
    )
    for budget in mine.order_by("pk"):
        period = period_of(budget=budget, now=now)
        free = BudgetPeriod.objects.filter(pk=period.pk, limit_minor__gte=F("held") + F("spent") + hold.amount)
        if free.update(held=F("held") + hold.amount) != 1:
            raise _exceeded(budget, BudgetPeriod.objects.get(pk=period.pk), hold.amount)
        BudgetUse.objects.create(hold=hold, period=period)
        _tell(budget, BudgetPeriod.objects.get(pk=period.pk), hold.amount, now)


def count(*, moved: Mapping[int, tuple[int, int]]) -> None:
    """Holds (by key) gave so much away: (captured, released); in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [list(moved), [c for c, _ in moved.values()], [r for _, r in moved.values()]])


def period_of(*, budget: Budget, now: datetime) -> BudgetPeriod:
    """The period that `now` lies in, made when it is first needed."""
    key = {"budget": budget, "start": _start(budget, now)}
    found: BudgetPeriod | None = BudgetPeriod.objects.filter(**key).first()
    if found is None:
        row = BudgetPeriod(**key, limit_minor=budget.limit_minor)
        BudgetPeriod.objects.bulk_create([row], ignore_conflicts=True)
        found = BudgetPeriod.objects.get(**key)
    return found


def _start(budget: Budget, now: datetime) -> date:
    return BEGIN if budget.period == EVER else now.date().replace(day=1)


def _exceeded(budget: Budget, period: BudgetPeriod, needed: int) -> BudgetExceeded:
    whose = "of the standing order" if budget.order else "of the key" if budget.api_key_id else "of the organization"
    return BudgetExceeded(
        f"the budget {whose} has {period.left} minor units of {budget.asset} left, not {needed}",
        hint="Raise the budget, wait for what is held to come back, or ask for less.",
        budget=budget.public_id, asset=budget.asset, limit=period.limit_minor, left=period.left, needed=needed,
    )  # fmt: skip


def _tell(budget: Budget, period: BudgetPeriod, added: int, now: datetime) -> None:
    """Say once in a period, and again after another limit was set, that a budget is nearly or wholly promised."""
    used, before = period.held + period.spent, period.held + period.spent - added
    marks = {"near": period.limit_minor * NEAR_PERCENT // 100, "reached": period.limit_minor}
    for kind, mark in marks.items():
        name = f"{budget.public_id}:{period.start:%y%m}:{kind}"
        said = Event.objects.filter(object_id=name, object_seq=budget.version)
        if before < mark <= used and not said.exists():
            record(
                f"budget.{kind}", object_id=name, seq=budget.version, now=now, buyer=budget.organization,
                facts={"limit_minor": period.limit_minor, "used_minor": used},
            )  # fmt: skip
