"""What providers earned becomes payable, is netted against what they owe, and is transferred, once a day at most.

Locks: the payout, then accounts. A transfer is asked for by the outbox and counted when the processor has made it.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum

from accounts.models import Organization
from marketplace.common.ids import new_id
from marketplace.events.services import move, record
from marketplace.ledger.errors import AmountOutOfRange, PayeeNotReady
from marketplace.ledger.gateways import current_gateway
from marketplace.ledger.gateways.base import PayeeFacts, TransferFacts
from marketplace.ledger.lines import Fact, credit, debit
from marketplace.ledger.models import Account, Entry, GatewayCall, GatewayStop, Journal, Payee, PayLine, Payout
from marketplace.ledger.services import account_of, balance_of, post_many
from marketplace.ledger.states import PAYOUT

ACTOR = "payouts"


@transaction.atomic
def register_payee(*, organization: Organization, email: str, livemode: bool, now: datetime) -> Payee:
    """The provider's account at the processor, asked for once."""
    payee, made = Payee.objects.get_or_create(
        organization=organization, gateway=settings.PAYMENT_GATEWAY, livemode=livemode,
        defaults={"public_id": new_id("pye"), "created_at": now},
    )  # fmt: skip
    asked = GatewayCall.objects.filter(subject=payee.public_id, op="create_payee").exclude(state="failed")
    if made or (payee.account is None and not asked.exists()):
        GatewayCall.objects.create(
            gateway=payee.gateway, op="create_payee", subject=payee.public_id, next_try_at=now, created_at=now,
            params={"organization": organization.public_id, "country": organization.country, "email": email},
        )  # fmt: skip
    return payee


@transaction.atomic
def apply_new_payee(*, public_id: str, facts: PayeeFacts, now: datetime) -> None:
    """The processor has made the account."""
    Payee.objects.filter(public_id=public_id, account=None).update(account=facts.id)
    apply_payee(facts=facts, now=now)


def refuse_payee(*, public_id: str, reason: str, now: datetime) -> None:
    """The processor refused to make the account; the provider may ask again."""
    Payee.objects.filter(public_id=public_id).update(missing=[reason[:120]])


def apply_payee(*, facts: PayeeFacts, now: datetime) -> None:
    """Bring a payee up to what the processor says now."""
    missing = [each[:120] for each in facts.missing]
    Payee.objects.filter(account=facts.id).update(enabled=facts.enabled, submitted=facts.submitted, missing=missing)


def make_payouts(*, now: datetime) -> int:
    """Ask for today's transfers to all payees that are enabled and have enough; how many payouts were made.

    None while a processor's outbox stands still: something does not add up.
    """
    if GatewayStop.objects.exists():
        return 0
    for payout in Payout.objects.filter(state="due", payee__enabled=True, date__lt=now.date()):
        send_again(payout=payout, now=now)
    rows = Account.objects.filter(kind="provider_payable", balance__gt=0).order_by("pk")
    return sum(_pay_out(key, now) for key in list(rows.values_list("pk", flat=True)))


@transaction.atomic
def _pay_out(key: int, now: datetime) -> bool:
    """Net and pay out one payable account; False where nothing is to be paid today.

    The row of the day is the lock: whoever comes second finds it.
    """
    payable = Account.objects.select_related("owner").get(pk=key)
    payee = Payee.objects.filter(organization=payable.owner, livemode=payable.livemode, enabled=True).first()
    owed = _owed(payable)
    of_owner = {"provider": payable.owner, "asset": payable.asset, "livemode": payable.livemode}
    waiting = Payout.objects.filter(state="due", **of_owner).aggregate(sum=Sum("amount"))["sum"] or 0
    netted = min(payable.balance - waiting, owed)
    amount = payable.balance - waiting - netted
    amount = current_gateway().movable(op="create_transfer", asset=payable.asset, amount=amount) if amount else 0
    if payee is None or amount < settings.LEAST_PAYOUT_MINOR:
        return _net_alone(payable, netted, now)
    if Payout.objects.filter(date=now.date(), **of_owner).exists():
        return False
    payout = Payout.objects.create(
        public_id=new_id("pot"), payee=payee, amount=amount, netted=netted, date=now.date(), created_at=now, **of_owner
    )
    record(
        "payout.due", object_id=payout.public_id, seq=payout.version, now=now, state="due", provider=payable.owner,
        facts=_told(payout),
    )  # fmt: skip
    _list_lines(payout, payable)
    post_many(facts=[*_net(payable, netted, payout.public_id), _sent(payout, 1)], now=now, actor=ACTOR)
    _ask(payout, now)
    return True


def _net_alone(payable: Account, netted: int, now: datetime) -> bool:
    """What is payable first covers what is owed, even where nothing is paid out."""
    if netted:
        post_many(facts=_net(payable, netted, f"{payable.public_id}:{now.date()}"), now=now, actor=ACTOR)
    return False


def _owed(payable: Account) -> int:
    return balance_of(_account(payable, "provider_receivable"))


def _net(payable: Account, amount: int, ref: str) -> list[Fact]:
    if not amount:
        return []
    return [Fact("net", ref, (debit(payable, amount), credit(_account(payable, "provider_receivable"), amount)))]


def _sent(payout: Payout, number: int) -> Fact:
    lines = (
        debit(_of(payout, "provider_payable"), payout.amount),
        credit(_of(payout, "provider_in_transit"), payout.amount),
    )
    return Fact("payout", f"{payout.public_id}:{number}", lines)


def _list_lines(payout: Payout, payable: Account) -> None:
    """Every amount that matured and is on no payout yet is on this one."""
    fresh = Entry.objects.filter(account=payable, journal__kind="mature", pay_line=None)
    PayLine.objects.bulk_create(PayLine(payout=payout, entry=each, amount=-each.amount) for each in fresh)


def _ask(payout: Payout, now: datetime) -> None:
    """Have the outbox make the transfer."""
    move(
        payout, "sending", table=PAYOUT, now=now, provider=payout.provider, facts=_told(payout),
        fields={"tries": payout.tries + 1, "reason": ""},
    )  # fmt: skip
    GatewayCall.objects.create(
        gateway=payout.payee.gateway, op="create_transfer", subject=payout.public_id, next_try_at=now, created_at=now,
        params={
            "payee": payout.payee.account, "asset": payout.asset, "amount": payout.amount, "group": payout.public_id,
        },
    )  # fmt: skip


@transaction.atomic
def send_again(*, payout: Payout, now: datetime) -> None:
    """Try a payout that the processor refused once more. Raises PayeeNotReady."""
    row = Payout.objects.select_for_update(of=("self",)).select_related("payee", "provider").get(pk=payout.pk)
    if not row.payee.enabled:
        raise PayeeNotReady("the processor does not pay this provider yet", hint="Finish the payout details first.")
    if row.state == "due":
        post_many(facts=[_sent(row, row.tries + 1)], now=now, actor=ACTOR)
        _ask(row, now)


@transaction.atomic
def apply_transfer(*, facts: TransferFacts, now: datetime) -> None:
    """Bring a payout up to what the processor says of its transfer now."""
    keys = GatewayCall.objects.filter(uuid=facts.key.removeprefix("jm_")).values("subject") if facts.key else []
    found = Payout.objects.filter(Q(transfer=facts.id) | Q(public_id__in=keys))
    payout = found.select_for_update(of=("self",)).select_related("provider", "payee").first()
    if payout is None:
        return
    clearing, transit = _of(payout, "stripe_clearing"), _of(payout, "provider_in_transit")
    posted = [Fact("transfer", payout.public_id, (debit(transit, payout.amount), credit(clearing, payout.amount)))]
    known = Journal.objects.filter(kind="transfer_reversal", ref__in=[each for each, _ in facts.reversals])
    fresh = dict(facts.reversals).keys() - set(known.values_list("ref", flat=True))
    posted += [_reversed(payout, each, amount) for each, amount in facts.reversals if each in fresh]
    post_many(facts=posted, now=now, actor=ACTOR)
    if payout.state == "sending":
        fields = {"transfer": facts.id, "paid_at": now}
        move(payout, "paid", table=PAYOUT, now=now, provider=payout.provider, facts=_told(payout), fields=fields)
    if facts.reversed != payout.reversed:
        Payout.objects.filter(pk=payout.pk).update(reversed=facts.reversed)
        if facts.reversed == payout.amount and payout.state == "paid":
            move(payout, "reversed", table=PAYOUT, now=now, provider=payout.provider, facts=_told(payout))


def _reversed(payout: Payout, reversal: str, amount: int) -> Fact:
    """What came back covers what the provider owed, then the loss by the dispute that it was taken back for."""
    receivable = _of(payout, "provider_receivable")
    owed = min(amount, balance_of(receivable))
    parts = ((receivable, owed), (_of(payout, "dispute_loss"), amount - owed))
    credits = [credit(account, part) for account, part in parts if part]
    return Fact("transfer_reversal", reversal, (debit(_of(payout, "stripe_clearing"), amount), *credits))


@transaction.atomic
def reverse_payout(*, payout: Payout, amount: int, now: datetime) -> None:
    """Take `amount` of a paid transfer back, for a provider at fault. Raises AmountOutOfRange."""
    row = Payout.objects.select_for_update(of=("self",)).select_related("payee").get(pk=payout.pk)
    most = row.amount - row.reversed if row.state == "paid" else 0
    if not 1 <= amount <= most:
        raise AmountOutOfRange(f"from 1 to {most} can be taken back, not {amount}", hint=str(most), most=most)
    GatewayCall.objects.create(
        gateway=row.payee.gateway, op="reverse_transfer", subject=row.public_id, next_try_at=now, created_at=now,
        params={"transfer": row.transfer, "amount": amount},
    )  # fmt: skip


@transaction.atomic
def fail_payout(*, public_id: str, reason: str, now: datetime) -> None:
    """The processor refused the transfer: the money is payable again, and an operator or the next day tries anew."""
    payout = Payout.objects.select_for_update(of=("self",)).select_related("provider").get(public_id=public_id)
    if payout.state != "sending":
        return
    lines = (
        debit(_of(payout, "provider_in_transit"), payout.amount),
        credit(_of(payout, "provider_payable"), payout.amount),
    )
    ref = f"{payout.public_id}:{payout.tries}"
    post_many(facts=[Fact("payout_failed", ref, lines)], now=now, actor=ACTOR)
    fields = {"reason": reason[:200]}
    move(payout, "due", table=PAYOUT, now=now, provider=payout.provider, facts=_told(payout), fields=fields)


def _told(payout: Payout) -> dict[str, object]:
    return {"amount_minor": payout.amount, "currency": payout.asset}


def _account(beside: Account, kind: str) -> Account:
    return account_of(kind=kind, owner=beside.owner, asset=beside.asset, livemode=beside.livemode)


def _of(payout: Payout, kind: str) -> Account:
    owner = payout.provider if kind.startswith("provider_") else None
    return account_of(kind=kind, owner=owner, asset=payout.asset, livemode=payout.livemode)
