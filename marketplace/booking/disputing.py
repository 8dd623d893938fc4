"""A buyer objects to a charge before it matures; an operator decides. Nobody else does, and no clock.

Locks: the line's contract lines by key, the dispute, then accounts.
"""

from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import Organization
from marketplace.booking.credits import give_credit
from marketplace.booking.errors import DisputeWindowClosed
from marketplace.booking.models import ChargeLine, ServiceCredit, UsageDispute
from marketplace.booking.models.disputes import REASONS
from marketplace.booking.states import USAGE_DISPUTE
from marketplace.common.errors import FieldProblem, IllegalState, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import move, record
from marketplace.ledger.services import post_many

ACTOR = "market"


@transaction.atomic
def open_dispute(*, line: ChargeLine, buyer: Organization, reason: str, text: str, now: datetime) -> UsageDispute:
    """Freeze the line until an operator has decided.

    Raises ValidationFailed for an unknown reason, DisputeWindowClosed once the line has matured, IllegalState when it
    was disputed before.
    """
    if reason not in REASONS:
        raise ValidationFailed([FieldProblem("/reason", "bad_value", f"{reason} is no reason", ", ".join(REASONS))])
    open_ = ChargeLine.objects.filter(pk=line.pk, matured_at=None, frozen=False, matures_at__gt=now)
    if open_.update(frozen=True) != 1:
        if UsageDispute.objects.filter(line=line).exists():
            raise IllegalState("this charge was disputed before", line=line.public_id)
        raise DisputeWindowClosed("the provider has been credited with this charge", line=line.public_id)
    try:
        with transaction.atomic():
            dispute = UsageDispute.objects.create(
                public_id=new_id("udp"), line=line, buyer=buyer, reason=reason, text=text, created_at=now
            )
    except IntegrityError as error:
        raise IllegalState("this charge was disputed before", line=line.public_id) from error
    record(
        "dispute.opened", object_id=dispute.public_id, seq=dispute.version, now=now, state="open", reason=reason,
        buyer=buyer, provider=line.contract.provider, facts={"charge_line": line.public_id},
    )  # fmt: skip
    return dispute


@transaction.atomic
def decide(*, dispute: UsageDispute, credit_minor: int, decision: str, decided_by: str, now: datetime) -> UsageDispute:
    """End a dispute: upheld with a credit of up to the charge, refused with none. The line may mature again.

    Raises ValidationFailed for a credit beyond the charge, IllegalState when it was decided before.
    """
    contract = dispute.line.contract
    lines = list(ChargeLine.objects.filter(contract=contract).select_for_update(of=("self",)).order_by("pk"))
    line = next(each for each in lines if each.pk == dispute.line_id)
    if not 0 <= credit_minor <= line.charge_minor:
        detail, hint = f"a credit is from 0 to the charge of {line.charge_minor}", str(line.charge_minor)
        raise ValidationFailed([FieldProblem("/credit_minor", "bad_value", detail, hint)])
    ChargeLine.objects.filter(pk=line.pk).update(frozen=False)
    facts = give_credit(
        kind="usage_dispute", subject=dispute.public_id, contract=contract, lines=[line], base=line.charge_minor,
        amount=credit_minor, on_charges=credit_minor, livemode=line.livemode, now=now,
    )  # fmt: skip
    credit = ServiceCredit.objects.filter(kind="usage_dispute", subject=dispute.public_id).first()
    move(
        dispute, "upheld" if credit_minor else "refused", table=USAGE_DISPUTE, now=now, buyer=dispute.buyer,
        provider=contract.provider, facts={"credit_minor": credit_minor},
        fields={"credit": credit, "decision": decision, "decided_by": decided_by, "decided_at": now},
    )  # fmt: skip
    if facts:
        post_many(facts=facts, now=now, actor=decided_by)
    return dispute
