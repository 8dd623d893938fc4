"""Disputes of card payments: what the processor took, what is frozen of the wallet meanwhile, and how it ends.

Journals follow the processor's balance transactions, never its words: an inquiry moves nothing.
Locks: the payment, its dispute, then accounts.
"""

from datetime import datetime

from django.db import transaction

from marketplace.common.ids import new_id
from marketplace.events.services import move, record
from marketplace.ledger.freezing import freeze, unfreeze
from marketplace.ledger.gateways.base import DisputeFacts
from marketplace.ledger.lines import Fact, Line, credit, debit
from marketplace.ledger.models import Account, CardDispute, Payment
from marketplace.ledger.services import account_of, balance_of, post_many
from marketplace.ledger.states import CARD_DISPUTE

ACTOR = "payments"


@transaction.atomic
def apply_dispute(*, facts: DisputeFacts, now: datetime) -> None:
    """Bring a dispute up to what the processor says now; one of a payment that is not ours is left alone."""
    found = Payment.objects.filter(intent=facts.intent).select_related("organization")
    payment = found.select_for_update(of=("self",)).first()
    if payment is None:
        return
    dispute = _row(payment, facts, now)
    posted = _moved(dispute, facts)
    if dispute.state in CARD_DISPUTE.open and facts.state in {"open", "lost"}:  # a loss may be the first that is heard
        posted += freeze(dispute=dispute, amount=balance_of(_account(dispute, "buyer_available")))
    if facts.state in CARD_DISPUTE.moves[dispute.state]:
        posted += _decided(dispute, facts.state)
        closed = now if facts.state in CARD_DISPUTE.final else None
        move(
            dispute, facts.state, table=CARD_DISPUTE, now=now, buyer=payment.organization, fields={"closed_at": closed},
            facts={"amount_minor": dispute.amount, "currency": payment.asset},
        )  # fmt: skip
    if posted:
        post_many(facts=posted, now=now, actor=ACTOR)


def _row(payment: Payment, facts: DisputeFacts, now: datetime) -> CardDispute:
    """The dispute under its lock, made when it is first heard of."""
    row = CardDispute.objects.select_for_update(of=("self",)).filter(reference=facts.id).first()
    if row is None:
        row = CardDispute.objects.create(
            public_id=new_id("dsp"), payment=payment, reference=facts.id, amount=facts.amount, state="inquiry",
            reason=facts.reason[:80], created_at=now,
        )  # fmt: skip
        record(
            "dispute.inquiry", object_id=row.public_id, seq=1, now=now, state="inquiry", buyer=payment.organization,
            facts={"amount_minor": facts.amount, "currency": payment.asset},
        )  # fmt: skip
    row.payment = payment
    return row


def _moved(dispute: CardDispute, facts: DisputeFacts) -> list[Fact]:
    """What the processor took and gave back, and what it charged for that."""
    clearing, disputed = _account(dispute, "stripe_clearing"), _account(dispute, "disputed_funds")
    posted = []
    taken = sum(-each.amount for each in facts.transactions if each.kind == "dispute")
    given = sum(each.amount for each in facts.transactions if each.kind == "dispute_reversal")
    if taken:
        posted.append(Fact("dispute_opened", dispute.public_id, (debit(disputed, taken), credit(clearing, taken))))
    if given:
        posted.append(Fact("dispute_won", dispute.public_id, (debit(clearing, given), credit(disputed, given))))
    for each in facts.transactions:
        if each.fee > 0:
            lines = debit(_account(dispute, "dispute_fees"), each.fee), credit(clearing, each.fee)
            posted.append(Fact("dispute_fee", each.id, lines))
    if dispute.moved != taken:
        CardDispute.objects.filter(pk=dispute.pk).update(moved=taken)
        dispute.moved = taken
    return posted


def _decided(dispute: CardDispute, to: str) -> list[Fact]:
    """What a decision does to what was frozen."""
    if to == "won":
        return unfreeze(dispute=dispute)
    if to == "lost" and dispute.moved:
        frozen = dispute.frozen
        CardDispute.objects.filter(pk=dispute.pk).update(frozen=0)
        dispute.frozen = 0
        parts = (("buyer_frozen", frozen), ("dispute_loss", dispute.moved - frozen))
        lines: list[Line] = [debit(_account(dispute, kind), amount) for kind, amount in parts if amount]
        lines.append(credit(_account(dispute, "disputed_funds"), dispute.moved))
        return [Fact("dispute_lost", dispute.public_id, tuple(lines))]
    return []


def _account(dispute: CardDispute, kind: str) -> Account:
    payment = dispute.payment
    owner = payment.organization if kind.startswith("buyer_") else None
    return account_of(kind=kind, owner=owner, asset=payment.asset, livemode=payment.livemode)
