"""A top-up as a person makes it: its rows, then its page at the processor, then what became of it.

The rows are one transaction; the processor is spoken with outside of any.
"""

import logging
from datetime import datetime

from django.conf import settings

from accounts.models import Organization
from marketplace.common.limits import count, spend
from marketplace.ledger import outbox, payments
from marketplace.ledger.gateways import gateway_of
from marketplace.ledger.gateways.base import GatewayError
from marketplace.ledger.models import GatewayCall, Payment

AN_HOUR, HOUR_S = 10, 3600
ASKED_EVERY_S = 3
BACK = "/wallet/topups/{payment}/"  # the page that waits for what the processor says
UNDECIDED = ("new", "open", "processing")
log = logging.getLogger(__name__)


def begin(*, organization: Organization, amount: int, save_method: bool, now: datetime) -> Payment:
    """The rows of a top-up, in the organization's currency. Raises RateLimited, AmountOutOfRange, SpendLimitReached."""
    spend("topups", organization.public_id, quota=AN_HOUR, now=now, window_s=HOUR_S)
    back = settings.WEB_URL + BACK
    payment, _ = payments.start_topup(
        organization=organization, asset=organization.currency, livemode=settings.LIVEMODE, amount=amount,
        save_method=save_method, success_url=back, cancel_url=back, now=now,
    )  # fmt: skip
    return payment


def open_page(*, public_id: str, now: datetime) -> bool:
    """Have the processor make the page of a top-up at once, if nobody has yet; whether it was asked."""
    call = GatewayCall.objects.filter(subject=public_id, state="new").first()
    if call is not None:
        outbox.send_now(call=call, now=now)
    return call is not None


def catch_up(*, payment: Payment, now: datetime) -> None:
    """Ask how an undecided top-up stands, for a person who waits; a processor that does not answer changes nothing."""
    reference = payment.intent or payment.session
    if payment.state not in UNDECIDED or not reference:
        return
    if count("ask-topup", payment.public_id, quota=1, now=now, window_s=ASKED_EVERY_S).is_over:
        return
    try:
        facts = gateway_of(payment.gateway).fetch_payment(reference)
    except (GatewayError, LookupError) as error:
        log.warning("%s could not be asked about: %s", payment.public_id, error)
        return
    payments.apply_payment(facts=facts, now=now)
    payment.refresh_from_db()
