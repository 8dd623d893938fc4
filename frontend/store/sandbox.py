"""The sandbox processor's own pages: a checkout where a person chooses how paying goes, and what a payee tells.

Whoever has the address may use them, as with a real processor; they move no money.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from frontend.store.moneywords import on_this_host
from marketplace.common.clock import utc_now
from marketplace.ledger.gateways.faults import Dice, dice_of
from marketplace.ledger.gateways.sandbox_engine import checkout, connect, payments
from marketplace.ledger.gateways.sandbox_engine.refusals import Refused
from marketplace.ledger.gateways.sandbox_models import SandboxPayee, SandboxSession

PLACE_OF_SESSION = "{CHECKOUT_SESSION_ID}"
page = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class Choice:
    """A way that something may go."""

    value: str
    name: str
    text: str


@page
@never_cache
def checkout_page(request: HttpRequest, session: str) -> HttpResponse:
    """Pay, or choose what goes wrong."""
    row = _session(session)
    if request.method == "POST":
        return _paid(request, row)
    is_open = row.status == "open" and row.expires_at > utc_now()
    if is_open and row.payment is not None and row.payment.status == "requires_action":
        return HttpResponseRedirect(reverse("sandbox-3ds", args=[session]))
    context = {
        "session": row,
        "is_open": is_open,
        "refused": reason_told(row.payment.reason) if row.payment else "",
        "choices": choices(),
        "done_href": _success(request, row),
        "leave_href": _own(request, row.cancel_url),
    }
    return render(request, "sandbox/checkout.html", context)


def _paid(request: HttpRequest, row: SandboxSession) -> HttpResponse:
    """A page that somebody else has finished meanwhile says so itself."""
    here = reverse("sandbox-checkout", args=[row.public_id])
    try:
        after = checkout.pay(
            session=row.public_id, outcome=request.POST.get("outcome", ""), now=utc_now(), dice=_dice()
        )
    except Refused:
        return HttpResponseRedirect(here)
    return HttpResponseRedirect(_success(request, after) if after.status == "complete" else here)


@page
@never_cache
def bank_page(request: HttpRequest, session: str) -> HttpResponse:
    """The bank of the card asks whether it is its owner."""
    row = _session(session)
    back = reverse("sandbox-checkout", args=[session])
    if row.status != "open" or row.payment is None or row.payment.status != "requires_action":
        return HttpResponseRedirect(back)
    if request.method != "POST":
        return render(request, "sandbox/bank.html", {"session": row})
    try:
        agreed = request.POST.get("answer") == "yes"
        after = checkout.authenticate(session=session, agreed=agreed, now=utc_now(), dice=_dice())
    except Refused:
        return HttpResponseRedirect(back)
    return HttpResponseRedirect(_success(request, after) if after.status == "complete" else back)


@page
@never_cache
def payee_page(request: HttpRequest, payee: str) -> HttpResponse:
    """Who is paid tells who they are. A link that is over leads to where a new one is made."""
    row = SandboxPayee.objects.filter(public_id=payee).first()
    if row is None:
        raise Http404
    link = request.GET.get("link", "")
    if not connect.is_open(row, link, utc_now()):
        return HttpResponseRedirect(_own(request, row.refresh_url))
    if request.method == "POST":
        try:
            connect.tell_all(payee=payee, link=link, what=request.POST.get("told", ""), now=utc_now(), dice=_dice())
        except Refused:
            return HttpResponseRedirect(request.get_full_path())
        return HttpResponseRedirect(_own(request, row.return_url))
    missing = [{"name": words_for_missing(each), "code": each} for each in row.missing]
    return render(
        request, "sandbox/payee.html", {"payee": row, "missing": missing, "leave_href": _own(request, row.return_url)}
    )


def choices() -> list[Choice]:
    """What can happen besides a good card."""
    return [
        Choice("3ds_ok", _("The bank asks first"), _("3-D Secure: the buyer agrees at the bank, then it is paid.")),
        Choice("3ds_fail", _("The bank says no"), _("3-D Secure fails, whatever the buyer answers.")),
        Choice("declined", _("Card declined"), _("Nothing is paid; another card may be tried.")),
        Choice("insufficient", _("Too little on the card"), _("Declined for insufficient funds.")),
        Choice("slow", _("The money is slow"), _("It arrives about a minute later.")),
        Choice("then_dispute", _("Paid, then disputed"), _("The card's owner objects about a minute later.")),
    ]


def reason_told(reason: str) -> str:
    """Why a card was refused, for people."""
    told = {
        "generic_decline": _("The card was declined."),
        "insufficient_funds": _("There is too little on the card."),
        payments.NOT_AUTHENTICATED: _("The bank did not confirm that it is the card's owner."),
    }
    return told.get(reason, "")


def words_for_missing(code: str) -> str:
    """What the processor still wants to know, for people."""
    told = {
        "external_account": _("The bank account that is paid"),
        "individual.verification.document": _("A document that shows who you are"),
        "tos_acceptance.date": _("That you agree to the processor's terms"),
    }
    return told.get(code, code)


def _session(session: str) -> SandboxSession:
    row = SandboxSession.objects.select_related("payment").filter(public_id=session).first()
    if row is None:
        raise Http404
    return row


def _success(request: HttpRequest, row: SandboxSession) -> str:
    return _own(request, row.success_url.replace(PLACE_OF_SESSION, row.public_id))


def _own(request: HttpRequest, address: str) -> str:
    """An address of this site, on the host by which its reader came; the front page in place of any other."""
    hosts = {request.get_host(), urlsplit(settings.WEB_URL).netloc}
    return on_this_host(address) if url_has_allowed_host_and_scheme(address, allowed_hosts=hosts) else "/"


def _dice() -> Dice:
    return dice_of(settings.SANDBOX_FAULTS)
