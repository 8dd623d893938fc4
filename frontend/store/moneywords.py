"""Amounts that cannot be taken, in the reader's words and in the currency's own format, and addresses to go on to."""

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from frontend.components.formats import duration, money
from frontend.store.refusals import refusal_text
from marketplace.common.errors import DomainError, RateLimited
from marketplace.ledger.errors import (
    AmountOutOfRange,
    InsufficientFunds,
    RefundExceedsPayment,
    SpendLimitReached,
    WalletFrozen,
)
from marketplace.ledger.payments import LEAST, NEW_FOR


def amount_refused(error: DomainError, currency: str) -> str:
    """Why an amount that was typed cannot be taken, and what could be."""
    facts = error.facts
    if isinstance(error, AmountOutOfRange) and "least" in facts:
        ends = {"least": money(facts["least"], currency), "most": money(facts["most"], currency)}
        return _("A top-up is from %(least)s to %(most)s.") % ends
    if isinstance(error, AmountOutOfRange):
        return _("By card it can be %(amount)s.") % {"amount": money(int(error.hint), currency)}
    if isinstance(error, SpendLimitReached):
        amounts = {"limit": money(facts["limit"], currency), "left": money(facts["left"], currency)}
        words = _("In its first %(days)d days an organization tops up at most %(limit)s; %(left)s is left of that.")
        return words % {"days": NEW_FOR.days, **amounts}
    return _refused(error, currency)


def _refused(error: DomainError, currency: str) -> str:
    facts = error.facts
    if isinstance(error, RefundExceedsPayment):
        return _("%(most)s was paid by card and can go back.") % {"most": money(facts["most"], currency)}
    if isinstance(error, InsufficientFunds):
        return _("%(there)s is available.") % {"there": money(facts["available"], currency)}
    if isinstance(error, WalletFrozen):
        return _("A card payment is disputed; until that is decided nothing goes back.")
    if isinstance(error, RateLimited):
        wait = duration(int(facts["retry_after_s"]) + 59)
        return _("Too many top-ups in one hour; try again in %(wait)s.") % {"wait": wait}
    return refusal_text(error)


def worth_topping_up(missing: int) -> int:
    """The amount to propose for what is missing: a top-up has a least amount."""
    return max(LEAST, missing)


def own_path(request: HttpRequest, address: str) -> str:
    """`address` when it lies on this site, else nothing."""
    fits = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if address and fits else ""


def on_this_host(address: str) -> str:
    """The path of an address of this market, whatever name its reader calls the host by; any other stays."""
    return address.removeprefix(settings.WEB_URL) if address.startswith(f"{settings.WEB_URL}/") else address


def decline_words(reason: str) -> str:
    """Why a card was not charged, for people; nothing for a reason that says nothing."""
    told = {
        "card_declined": _("The card was declined."),
        "generic_decline": _("The card was declined."),
        "insufficient_funds": _("There is too little on the card."),
        "expired_card": _("The card has expired."),
        "authentication_required": _("The bank wants its owner to confirm; pay on the processor's page once."),
        "payment_intent_authentication_failure": _("The bank did not confirm that it is the card's owner."),
        "invalid": _("The processor did not take the request; the operator has been told."),
    }
    return told.get(reason, "")
