"""Top-ups of a wallet and refunds to the card that paid: asked for here, done by the outbox, counted when fetched.

A wallet is credited only by a payment that the processor, asked, says has succeeded; whoever asks, and however often,
the books take each fact once. Locks: the payment, its refund, its hold, then accounts.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum

from accounts.models import Organization
from marketplace.common.currencies import figure
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import move
from marketplace.ledger.errors import AmountOutOfRange, RefundExceedsPayment, SpendLimitReached
from marketplace.ledger.gateways import current_gateway
from marketplace.ledger.gateways.base import BalanceTransaction, PaymentFacts, RefundFacts, TopupPage
from marketplace.ledger.holds import open_hold, release, spend
from marketplace.ledger.lines import Fact, credit, debit
from marketplace.ledger.models import Account, GatewayCall, Payment, Refund
from marketplace.ledger.services import account_of, post_many
from marketplace.ledger.states import PAYMENT, REFUND

ACTOR = "payments"
LEAST, MOST = 500, 1_000_000  # minor units of a top-up
NEW_FOR = timedelta(days=30)


@transaction.atomic
def start_topup(
    *, organization: Organization, asset: str, livemode: bool, amount: int, success_url: str, cancel_url: str,
    now: datetime, save_method: bool = False,
) -> tuple[Payment, GatewayCall]:  # fmt: skip
    """A payment and the call that opens its page. Raises AmountOutOfRange, SpendLimitReached, and writes nothing."""
    payment = _payment(organization, asset, livemode, amount, now)
    call = GatewayCall.objects.create(
        gateway=payment.gateway, op="create_topup", subject=payment.public_id, next_try_at=now, created_at=now,
        params={
            "asset": asset, "amount": amount, "customer": organization.public_id, "save_method": save_method,
            "success_url": success_url.replace("{payment}", payment.public_id),
            "cancel_url": cancel_url.replace("{payment}", payment.public_id),
        },
    )  # fmt: skip
    return payment, call


@transaction.atomic
def charge_again(*, payment: Payment, amount: int, now: datetime) -> tuple[Payment, GatewayCall]:
    """Charge the card that `payment` was made with, without its holder: an automatic top-up."""
    again = _payment(payment.organization, payment.asset, payment.livemode, amount, now, automatic=True)
    call = GatewayCall.objects.create(
        gateway=again.gateway, op="charge_saved", subject=again.public_id, next_try_at=now, created_at=now,
        params={
            "asset": again.asset, "amount": amount, "customer": again.organization.public_id, "method": payment.method,
        },
    )  # fmt: skip
    return again, call


def _payment(
    organization: Organization, asset: str, livemode: bool, amount: int, now: datetime, *, automatic: bool = False
) -> Payment:
    if not LEAST <= amount <= MOST:
        raise AmountOutOfRange(
            f"a top-up is from {figure(LEAST, asset)} to {figure(MOST, asset)} {asset} ({LEAST} to {MOST} minor units)",
            hint=str(min(max(amount, LEAST), MOST)), least=LEAST, most=MOST, amount=amount,
        )  # fmt: skip
    _check_step(asset, amount)
    _check_new_buyer(organization, asset, livemode, amount, now)
    return Payment.objects.create(
        public_id=new_id("pay"), organization=organization, asset=asset, livemode=livemode,
        gateway=settings.PAYMENT_GATEWAY, amount=amount, automatic=automatic, created_at=now,
    )  # fmt: skip


def _check_step(asset: str, amount: int) -> None:
    """Raises AmountOutOfRange where the processor's steps of a currency are coarser than its minor units."""
    movable = current_gateway().movable(op="create_topup", asset=asset, amount=amount)
    if movable != amount:
        raise AmountOutOfRange(
            f"{figure(amount, asset)} {asset} cannot be paid by card", hint=str(movable), amount=amount
        )


def _check_new_buyer(organization: Organization, asset: str, livemode: bool, amount: int, now: datetime) -> None:
    """Raises SpendLimitReached when a new organization would have paid more by card in its first days than it may."""
    cap = settings.NEW_BUYER_CAP_MINOR
    if not cap or organization.created_at <= now - NEW_FOR:
        return
    mine = Payment.objects.filter(organization=organization, asset=asset, livemode=livemode)
    paid = mine.exclude(state__in=("failed", "cancelled")).filter(created_at__gt=now - NEW_FOR)
    left = max(0, cap - int(paid.aggregate(sum=Sum("amount"))["sum"] or 0))
    if amount > left:
        raise SpendLimitReached(
            f"a new organization tops up {figure(cap, asset)} {asset} in its first {NEW_FOR.days} days; "
            f"{figure(left, asset)} {asset} ({left} minor units) is left",
            hint=str(left), limit=cap, left=left,
        )  # fmt: skip


@transaction.atomic
def apply_page(*, call: GatewayCall, page: TopupPage, now: datetime) -> None:
    """The page of a top-up is there."""
    payment = Payment.objects.select_for_update(of=("self",)).get(public_id=call.subject)
    if payment.state == "new":
        _move(payment, "open", now, session=page.session, url=page.url)


@transaction.atomic
def apply_payment(*, facts: PaymentFacts, now: datetime) -> None:
    """Bring a payment up to what the processor says now. What is not ours is left for the reconciliation to name."""
    payment = _find(facts)
    if payment is None or payment.livemode != facts.livemode:
        return
    known = {"intent": facts.intent or None, "method": facts.method}
    if facts.state == "succeeded":
        post_many(facts=_captured(payment, facts), now=now, actor=ACTOR)
        if payment.state != "succeeded":
            _move(payment, "succeeded", now, captured=facts.captured, reason="", **known)
    elif facts.state in PAYMENT.moves[payment.state]:
        _move(payment, facts.state, now, reason=facts.reason[:80], **known)


def _find(facts: PaymentFacts) -> Payment | None:
    """The payment by intent, session or the key of the call that made it, under its lock."""
    ways = Q(intent=facts.intent) if facts.intent else Q(pk=None)
    if facts.session:
        ways |= Q(session=facts.session)
    if facts.key:
        keys = GatewayCall.objects.filter(uuid=facts.key.removeprefix("jm_")).values("subject")
        ways |= Q(public_id__in=keys)
    row: Payment | None = Payment.objects.select_for_update(of=("self",)).filter(ways).first()
    return row


def _captured(payment: Payment, facts: PaymentFacts) -> list[Fact]:
    """The top-up, and the fee that the processor kept, as far as it tells yet."""
    clearing = _account(payment, "stripe_clearing")
    wallet = _account(payment, "buyer_available", payment.organization)
    topup = Fact("topup", facts.intent, (debit(clearing, facts.captured), credit(wallet, facts.captured)))
    return [topup, *fees(payment, facts.transactions)]


def fees(payment: Payment, transactions: Iterable[BalanceTransaction]) -> list[Fact]:
    """What the processor kept of these, each named by its balance transaction."""
    clearing = _account(payment, "stripe_clearing")
    return [
        Fact("stripe_fee", each.id, (debit(_account(payment, "stripe_fees"), each.fee), credit(clearing, each.fee)))
        for each in transactions
        if each.kind == "charge" and each.fee > 0
    ]


@transaction.atomic
def request_refund(
    *, organization: Organization, asset: str, livemode: bool, amount: int, now: datetime, actor: str
) -> list[Refund]:
    """Send `amount` of the wallet back to the cards that paid, the newest payment first.

    Raises RefundExceedsPayment when less was paid by card, InsufficientFunds when less is available. Nothing is written
    then.
    """
    if amount < 1:
        raise ValidationFailed([FieldProblem("/amount", "bad_value", "must be 1 or more", "1")])
    mine = Payment.objects.filter(organization=organization, asset=asset, livemode=livemode).refundable()
    parts, left = [], amount
    for payment in mine.select_for_update(of=("self",)).select_related("organization"):
        part = min(left, payment.captured - payment.refunded)
        if part:
            parts.append((payment, part))
            left -= part
    if left:
        most = amount - left
        raise RefundExceedsPayment(
            f"{figure(most, asset)} {asset} ({most} minor units) was paid by card and has not gone back",
            hint=str(most),
            most=most,
        )
    made = [_refund(payment, part, now) for payment, part in parts]
    post_many(facts=[fact for _, fact in made], now=now, actor=actor)
    return [refund for refund, _ in made]


def _refund(payment: Payment, amount: int, now: datetime) -> tuple[Refund, Fact]:
    """The refund of a part of one payment, its hold and its call."""
    public_id = new_id("rfd")
    hold, fact = open_hold(
        organization=payment.organization, asset=payment.asset, livemode=payment.livemode, amount=amount,
        subject=public_id, purpose="refund", now=now,
    )  # fmt: skip
    Payment.objects.filter(pk=payment.pk).update(refunded=F("refunded") + amount)
    refund = Refund.objects.create(public_id=public_id, payment=payment, hold=hold, amount=amount, created_at=now)
    GatewayCall.objects.create(
        gateway=payment.gateway, op="create_refund", subject=public_id, next_try_at=now, created_at=now,
        params={"intent": payment.intent, "amount": amount},
    )  # fmt: skip
    return refund, fact


@transaction.atomic
def apply_refund(*, facts: RefundFacts, now: datetime) -> None:
    """Bring a refund up to what the processor says now; what is not ours is left for the reconciliation to name."""
    keys = GatewayCall.objects.filter(uuid=facts.key.removeprefix("jm_")).values("subject") if facts.key else []
    found = Refund.objects.filter(Q(reference=facts.id) | Q(public_id__in=keys))
    refund = found.select_for_update(of=("self",)).select_related("payment__organization", "hold__organization").first()
    if refund is None or facts.state == refund.state or facts.state not in REFUND.moves[refund.state]:
        return
    if facts.state == "succeeded":
        clearing = _account(refund.payment, "stripe_clearing")
        post_many(facts=spend(hold=refund.hold, kind="refund", ref=refund.public_id, to=clearing), now=now, actor=ACTOR)
    elif facts.state == "failed":
        _give_up(refund, now)
    _move_refund(refund, facts.state, now, reason=facts.reason[:80], reference=facts.id)


@transaction.atomic
def fail_refund(*, public_id: str, reason: str, now: datetime) -> None:
    """The processor refused to make the refund: the money is available again."""
    refund = Refund.objects.select_for_update(of=("self",)).select_related("payment", "hold").get(public_id=public_id)
    if refund.state == "new":
        _give_up(refund, now)
        _move_refund(refund, "failed", now, reason=reason[:80])


def _give_up(refund: Refund, now: datetime) -> None:
    """The money is in the wallet again: out of the hold, or back from the processor where it had gone."""
    if refund.state == "succeeded":
        payment = refund.payment
        back = debit(_account(payment, "stripe_clearing"), refund.amount)
        wallet = credit(_account(payment, "buyer_available", payment.organization), refund.amount)
        facts = [Fact("refund_failed", refund.public_id, (back, wallet))]
    else:
        facts = release(hold=refund.hold)
    Payment.objects.filter(pk=refund.payment_id).update(refunded=F("refunded") - refund.amount)
    post_many(facts=facts, now=now, actor=ACTOR)


@transaction.atomic
def fail_payment(*, public_id: str, reason: str, now: datetime) -> None:
    """The processor refused the payment."""
    payment = Payment.objects.select_for_update(of=("self",)).get(public_id=public_id)
    if "failed" in PAYMENT.moves[payment.state]:
        _move(payment, "failed", now, reason=reason[:80])


def refundable(*, organization: Organization, asset: str, livemode: bool) -> int:
    """What can still go back to cards, in minor units; the wallet may have less."""
    mine = Payment.objects.filter(organization=organization, asset=asset, livemode=livemode).refundable()
    return int(mine.order_by().aggregate(left=Sum(F("captured") - F("refunded")))["left"] or 0)


def _account(payment: Payment, kind: str, owner: Organization | None = None) -> Account:
    return account_of(kind=kind, owner=owner, asset=payment.asset, livemode=payment.livemode)


def _move(payment: Payment, to: str, now: datetime, **fields: object) -> None:
    move(
        payment, to, table=PAYMENT, now=now, buyer=payment.organization, fields=fields,
        facts={"amount_minor": payment.amount, "currency": payment.asset},
    )  # fmt: skip


def _move_refund(refund: Refund, to: str, now: datetime, **fields: object) -> None:
    move(
        refund, to, table=REFUND, now=now, buyer=refund.payment.organization, fields=fields,
        facts={"amount_minor": refund.amount, "currency": refund.payment.asset},
    )  # fmt: skip
