"""A saved card tops a wallet up by itself when it runs low; a card that is refused switches that off.

Locks: the automatic top-up's own row, under which its day is counted, then the payment.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.models import Organization
from marketplace.common.currencies import figure
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import record
from marketplace.ledger import payments
from marketplace.ledger.errors import AmountOutOfRange, SpendLimitReached
from marketplace.ledger.freezing import open_disputes
from marketplace.ledger.models import AutoTopup, Payment
from marketplace.ledger.topups import UNDECIDED

REFUSED = ("failed", "cancelled")


def saved_card(*, organization: Organization, asset: str, livemode: bool) -> Payment | None:
    """The newest payment whose card the processor keeps; None where no card was saved."""
    mine = Payment.objects.filter(
        organization=organization, asset=asset, livemode=livemode, gateway=settings.PAYMENT_GATEWAY, state="succeeded"
    )
    found: Payment | None = mine.exclude(method="").order_by("-pk").first()
    return found


def auto_topup_of(*, organization: Organization, asset: str, livemode: bool) -> AutoTopup | None:
    """The organization's automatic top-up, on or off; None where it never had one."""
    mine = AutoTopup.objects.filter(organization=organization, asset=asset, livemode=livemode)
    found: AutoTopup | None = mine.select_related("last", "card").first()
    return found


@transaction.atomic
def switch_on(
    *, organization: Organization, asset: str, livemode: bool, threshold: int, amount: int, daily_cap: int,
    now: datetime,
) -> AutoTopup:  # fmt: skip
    """Charge the saved card `amount` whenever less than `threshold` is available, at most `daily_cap` a UTC day.

    Raises ValidationFailed naming the field. Nothing is written then.
    """
    card = saved_card(organization=organization, asset=asset, livemode=livemode)
    if card is None:
        raise _wrong("card", "no card is saved", "top up once and let the processor keep the card")
    AutoTopup.objects.get_or_create(
        organization=organization, asset=asset, livemode=livemode,
        defaults={
            "public_id": new_id("atp"), "threshold": 1, "amount": 1, "daily_cap": 1, "card": card, "on": False,
            "created_at": now,
        },
    )  # fmt: skip
    mine = AutoTopup.objects.filter(organization=organization, asset=asset, livemode=livemode)
    row = mine.select_for_update(of=("self",)).select_related("last").get()
    charged = row.charged if row.day == now.date() else 0
    _check(asset, threshold, amount, daily_cap, charged)
    last = row.last if row.last and row.last.state in UNDECIDED else None
    AutoTopup.objects.filter(pk=row.pk).update(
        threshold=threshold, amount=amount, daily_cap=daily_cap, card=card, on=True, reason="", last=last,
        day=now.date(), charged=charged, version=F("version") + 1,
    )  # fmt: skip
    row.refresh_from_db()
    _tell(row, "on", now)
    return row


def _check(asset: str, threshold: int, amount: int, daily_cap: int, charged: int) -> None:
    if threshold < 1:
        raise _wrong("threshold", "must be above 0", "1")
    if not payments.LEAST <= amount <= payments.MOST:
        least, most = figure(payments.LEAST, asset), figure(payments.MOST, asset)
        raise _wrong("amount", f"from {least} to {most} {asset}", str(max(payments.LEAST, min(amount, payments.MOST))))
    if daily_cap < max(amount, charged):
        least = figure(max(amount, charged), asset)
        raise _wrong("daily_cap", f"at least {least} {asset}: one top-up, and what was charged today", str(amount))


def _wrong(field: str, detail: str, hint: str) -> ValidationFailed:
    return ValidationFailed([FieldProblem(f"/{field}", "bad_value", detail, hint)])


@transaction.atomic
def switch_off(*, row: AutoTopup, now: datetime, reason: str = "") -> bool:
    """Charge nothing any more; whether it was on. `reason` where its owner did not want that."""
    locked = AutoTopup.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if not locked.on:
        return False
    AutoTopup.objects.filter(pk=row.pk).update(on=False, reason=reason[:80], version=F("version") + 1)
    row.refresh_from_db()
    _tell(row, "off", now, reason)
    return True


def _tell(row: AutoTopup, what: str, now: datetime, reason: str = "") -> None:
    record(
        f"auto_topup.{what}", object_id=row.public_id, seq=row.version, now=now, state=what, reason=reason,
        buyer=row.organization, facts={"amount_minor": row.amount, "currency": row.asset},
    )  # fmt: skip


def top_up_due(*, now: datetime) -> int:
    """Start a charge for every wallet that ran low, and switch off where a card was refused; how many were started."""
    for row in AutoTopup.objects.filter(on=True, last__state__in=REFUSED).select_related("last", "organization"):
        switch_off(row=row, now=now, reason=row.last.reason or row.last.state if row.last else "")
    return sum(_charge(key, now) for key in list(AutoTopup.objects.below().values_list("pk", flat=True)))


@transaction.atomic
def _charge(key: int, now: datetime) -> bool:
    """Charge one card once, unless a charge is under way, a dispute is open, or its day has no room left."""
    rows = AutoTopup.objects.select_for_update(of=("self",), skip_locked=True)
    row = rows.select_related("last", "card__organization", "organization").filter(pk=key).first()
    if row is None or (row.last is not None and row.last.state in UNDECIDED):
        return False
    if not AutoTopup.objects.below().filter(pk=key).exists():
        return False
    if open_disputes(organization=row.organization, asset=row.asset, livemode=row.livemode).exists():
        return False
    try:
        with transaction.atomic():
            if not AutoTopup.objects.filter(pk=key).charge(row.amount, now.date()):
                return False
            payment, _ = payments.charge_again(payment=row.card, amount=row.amount, now=now)
    except (SpendLimitReached, AmountOutOfRange) as error:
        switch_off(row=row, now=now, reason=error.code)
        return False
    AutoTopup.objects.filter(pk=key).update(last=payment)
    return True
