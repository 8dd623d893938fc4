"""A provider becomes a payee: its account at the processor, the page on which it tells who it is, and what came of it.

Rows are written by `payouts.register_payee`; here the processor is spoken with, outside of any transaction.
"""

import logging
from datetime import datetime

from django.conf import settings

from accounts.models import Organization
from marketplace.common.limits import count
from marketplace.ledger import outbox, payouts
from marketplace.ledger.errors import PayeeNotReady
from marketplace.ledger.gateways import gateway_of
from marketplace.ledger.gateways.base import GatewayError
from marketplace.ledger.models import GatewayCall, Payee

ASKED_EVERY_S = 3
BACK = "/console/payouts/"
AGAIN = "/console/payouts/onboarding/"  # where a link that is over leads, for a new one
log = logging.getLogger(__name__)


def payee_of(*, organization: Organization) -> Payee | None:
    """The organization as a payee of the processor that is in use; None before it has registered."""
    mine = Payee.objects.filter(organization=organization, gateway=settings.PAYMENT_GATEWAY, livemode=settings.LIVEMODE)
    found: Payee | None = mine.first()
    return found


def open_account(*, payee: Payee, now: datetime) -> None:
    """Have the processor make the payee's account at once, if nobody has yet."""
    call = GatewayCall.objects.filter(subject=payee.public_id, op="create_payee", state="new").first()
    if call is not None:
        outbox.send_now(call=call, now=now)
        payee.refresh_from_db()


def onboarding_page(*, payee: Payee) -> str:
    """The address of the page on which the payee tells who it is; it works once, and soon.

    Raises PayeeNotReady while the processor has no account for it, GatewayError.
    """
    if payee.account is None:
        raise PayeeNotReady("the processor is still making the account", hint="Try again in a minute.")
    return gateway_of(payee.gateway).payee_link(
        payee=payee.account, return_url=settings.WEB_URL + BACK, refresh_url=settings.WEB_URL + AGAIN
    )


def catch_up(*, payee: Payee, now: datetime) -> None:
    """Ask what the processor knows of a payee that is not paid yet; one that does not answer changes nothing."""
    if payee.enabled or payee.account is None:
        return
    if count("ask-payee", payee.public_id, quota=1, now=now, window_s=ASKED_EVERY_S).is_over:
        return
    try:
        facts = gateway_of(payee.gateway).fetch_payee(payee.account)
    except (GatewayError, LookupError) as error:
        log.warning("%s could not be asked about: %s", payee.public_id, error)
        return
    payouts.apply_payee(facts=facts, now=now)
    payee.refresh_from_db()
