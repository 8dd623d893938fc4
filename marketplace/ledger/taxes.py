"""Which tax holds, and how the operator's rules begin and end."""

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import Organization
from marketplace.events.services import record
from marketplace.ledger.models import BillingDetails, TaxRule


def rule_for(*, seller_country: str, buyer_country: str, business: bool, on: date) -> TaxRule | None:
    """The rule that holds on that day; at most one does."""
    rules = TaxRule.objects.between(seller_country, buyer_country, business=business)
    return rules.in_force(on).first()


def tax_bp_for(*, seller_country: str, buyer_country: str, business: bool, on: date) -> int:
    """The tax in basis points: the rule's, or the market's TAX_BP where there is no rule."""
    rule = rule_for(seller_country=seller_country, buyer_country=buyer_country, business=business, on=on)
    return int(settings.TAX_BP) if rule is None else rule.tax_bp


def is_business(buyer: Organization) -> bool:
    """Whether the buyer gave a tax number."""
    return BillingDetails.objects.filter(organization=buyer).exclude(tax_id="").exists()


@transaction.atomic
def add_rule(*, rule: TaxRule, now: datetime, actor: str) -> TaxRule:
    """Store a new rule and say so in the journal. The database refuses one that overlaps another."""
    rule.save(force_insert=True)
    _tell("tax_rule.added", rule, now, actor)
    return rule


@transaction.atomic
def end_rule(*, rule: TaxRule, valid_to: date | None, now: datetime, actor: str) -> TaxRule:
    """Let a rule end before `valid_to`, or go on; nothing else of it ever changes."""
    row = TaxRule.objects.select_for_update(of=("self",)).get(pk=rule.pk)
    if row.valid_to != valid_to:
        row.valid_to, row.version = valid_to, row.version + 1
        row.save(update_fields=["valid_to", "version"])
        _tell("tax_rule.ended" if valid_to else "tax_rule.reopened", row, now, actor)
    return row


def _tell(kind: str, rule: TaxRule, now: datetime, actor: str) -> None:
    facts: dict[str, Any] = {
        "seller_country": rule.seller_country, "buyer_country": rule.buyer_country, "business": rule.business,
        "tax_bp": rule.tax_bp, "text": rule.text, "valid_from": rule.valid_from.isoformat(),
        "valid_to": rule.valid_to.isoformat() if rule.valid_to else None, "actor": actor,
    }  # fmt: skip
    record(kind, object_id=rule.public_id, seq=rule.version, now=now, facts=facts)
