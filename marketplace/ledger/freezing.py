"""What is frozen of a wallet while a card's holder disputes a payment, and that nothing new is promised meanwhile."""

from django.db.models import F

from accounts.models import Organization
from marketplace.ledger.errors import WalletFrozen
from marketplace.ledger.lines import Fact, credit, debit
from marketplace.ledger.models import CardDispute
from marketplace.ledger.querysets import CardDisputeQuerySet
from marketplace.ledger.services import account_of


def open_disputes(*, organization: Organization, asset: str, livemode: bool) -> CardDisputeQuerySet:
    """Disputes that are undecided and for which the processor took money."""
    return CardDispute.objects.open().filter(
        payment__organization=organization, payment__asset=asset, payment__livemode=livemode
    )


def refuse_while_frozen(*, organization: Organization, asset: str, livemode: bool) -> None:
    """Raises WalletFrozen while a dispute is open."""
    disputes = open_disputes(organization=organization, asset=asset, livemode=livemode)
    found = list(disputes.values_list("public_id", flat=True)[:1])
    if found:
        raise WalletFrozen(
            "a card payment is disputed, so nothing new is promised until that is decided",
            hint="Answer the dispute with your card's bank, or write to the operator.", dispute=found[0],
        )  # fmt: skip


def freeze(*, dispute: CardDispute, amount: int) -> list[Fact]:
    """Freeze up to `amount` of what is available, as far as more was taken than is frozen; the caller has the lock."""
    part = min(amount, dispute.moved - dispute.frozen)
    if part <= 0:
        return []
    CardDispute.objects.filter(pk=dispute.pk).update(frozen=F("frozen") + part, freezes=F("freezes") + 1)
    dispute.frozen, dispute.freezes = dispute.frozen + part, dispute.freezes + 1
    return [_fact("freeze", dispute, "buyer_available", "buyer_frozen", part)]


def freeze_freed(*, organization: Organization, asset: str, livemode: bool, freed: int) -> list[Fact]:
    """What comes back to the wallet while disputes are open is frozen too, up to what they are about."""
    facts: list[Fact] = []
    disputes = open_disputes(organization=organization, asset=asset, livemode=livemode)
    for dispute in disputes.filter(moved__gt=F("frozen")).select_for_update(of=("self",)).order_by("pk"):
        taken = dispute.frozen
        facts += freeze(dispute=dispute, amount=freed)
        freed -= dispute.frozen - taken
    return facts


def unfreeze(*, dispute: CardDispute) -> list[Fact]:
    """Give all that is frozen for a dispute, which the caller has locked, back."""
    part = dispute.frozen
    if not part:
        return []
    CardDispute.objects.filter(pk=dispute.pk).update(frozen=0, freezes=F("freezes") + 1)
    dispute.frozen, dispute.freezes = 0, dispute.freezes + 1
    return [_fact("unfreeze", dispute, "buyer_frozen", "buyer_available", part)]


def _fact(kind: str, dispute: CardDispute, taken_from: str, given_to: str, amount: int) -> Fact:
    payment = dispute.payment
    source, target = (
        account_of(kind=each, owner=payment.organization, asset=payment.asset, livemode=payment.livemode)
        for each in (taken_from, given_to)
    )
    return Fact(kind, f"{dispute.public_id}:{dispute.freezes}", (debit(source, amount), credit(target, amount)))
