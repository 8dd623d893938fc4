"""What a provider has earned: what matures when, what is payable, what was paid out and of what it was made."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Organization
from accounts.tenancy import current_organization, person_of
from frontend.components.formats import money
from frontend.store.access import for_providers
from frontend.store.moneywords import on_this_host
from frontend.store.pager import listing
from frontend.store.refusals import refusal_text
from frontend.store.sandbox import words_for_missing
from marketplace.booking.models import ChargeLine
from marketplace.booking.payoutlines import as_csv, lines_of
from marketplace.common.clock import utc_now
from marketplace.ledger import payees, payouts
from marketplace.ledger.earnings import Earnings, Keeps, earnings_of, what_keeps
from marketplace.ledger.errors import PayeeNotReady
from marketplace.ledger.gateways.base import GatewayError
from marketplace.ledger.models import Payee, Payout
from scheduler.models import Attempt

MATURING_SHOWN = 50


@require_safe
@for_providers
def payouts_page(request: HttpRequest) -> HttpResponse:
    """Where the money stands, what keeps the next payout, what was paid, and what matures when."""
    mine, now = current_organization(request), utc_now()
    payee = payees.payee_of(organization=mine)
    if payee is not None:
        payees.catch_up(payee=payee, now=now)
    earnings = earnings_of(organization=mine, asset=mine.currency, livemode=settings.LIVEMODE)
    keeps = what_keeps(earnings=earnings, payee=payee, now=now)
    maturing = ChargeLine.objects.sold_by([mine]).maturing().filter(livemode=settings.LIVEMODE)
    context = {
        "earnings": earnings,
        "kpis": _kpis(earnings),
        "payee": payee,
        "keeps": str(keeps),
        "next_text": _next_words(keeps, earnings, payee, maturing.first(), now),
        "missing": [words_for_missing(each) for each in payee.missing] if payee and keeps is Keeps.DETAILS else [],
        "page": listing(request, Payout.objects.of([mine])),
        "maturing": _with_jobs(list(maturing.select_related("contract__offer")[:MATURING_SHOWN])),
        "maturing_more": max(0, maturing.count() - MATURING_SHOWN),
    }
    return render(request, "console/payouts.html", context)


def _kpis(earnings: Earnings) -> list[dict[str, Any]]:
    amounts = {
        "payable": (_("Payable"), _("matured, for the next payout"), earnings.payable),
        "pending": (_("Maturing"), _("a buyer may still object"), earnings.pending),
        "transit": (_("On its way"), _("asked of the processor"), earnings.in_transit),
        "owed": (_("Owed"), _("credits beyond what was pending; taken off the next payout"), earnings.receivable),
    }
    return [
        {"name": name, "value": money(amount, earnings.asset), "note": note, "hot": key == "payable"}
        for key, (name, note, amount) in amounts.items()
        if amount or key != "owed"
    ]


def _next_words(keeps: Keeps, earnings: Earnings, payee: Payee | None, first: Any, now: datetime) -> str:
    """When the next payout is, or what keeps it, as a sentence."""
    amount, asset = money(earnings.next_amount, earnings.asset), earnings.asset
    least = money(settings.LEAST_PAYOUT_MINOR, asset)
    told = {
        Keeps.STOPPED: _("Payouts wait while the operator looks into the books; what is payable stays yours."),
        Keeps.UNREGISTERED: _("Register first: the processor needs to know whom it pays."),
        Keeps.REFUSED: _("The processor did not make an account: %(why)s. Try again, or write to the operator."),
        Keeps.PREPARING: _("The processor is making your account; this takes a moment."),
        Keeps.DETAILS: _("The processor does not pay you yet. It still wants to know:"),
        Keeps.TRANSFER_REFUSED: _("The processor refused a payout; it is sent again tomorrow."),
        Keeps.NOTHING: _("Nothing is payable now."),
        Keeps.LEAST: _("%(amount)s is payable; payouts are from %(least)s on."),
        Keeps.TODAY: _("%(amount)s goes out tomorrow: one payout is made each day."),
        Keeps.FREE: _("%(amount)s goes out within a quarter of an hour."),
    }
    facts = {"amount": amount, "least": least, "why": ", ".join(payee.missing) if payee else ""}
    words = told[keeps] % facts
    if keeps is Keeps.NOTHING and first is not None and not first.frozen:
        when = {"date": f"{max(first.matures_at, now):%Y-%m-%d}".replace("-", "\N{NON-BREAKING HYPHEN}")}
        words = f"{words} {_('The next amount matures on %(date)s.') % when}"
    return words


def _with_jobs(lines: list[ChargeLine]) -> list[dict[str, Any]]:
    """Lines with the job that each is of."""
    attempts = Attempt.objects.filter(public_id__in=[line.attempt for line in lines if line.attempt])
    jobs = dict(attempts.values_list("public_id", "job__public_id"))
    return [{"line": line, "job": jobs.get(line.attempt, "")} for line in lines]


@require_POST
@for_providers
def register(request: HttpRequest) -> HttpResponse:
    """Ask the processor for an account, then go on to its page."""
    mine, now = current_organization(request), utc_now()
    payee = payouts.register_payee(
        organization=mine, email=person_of(request).email, livemode=settings.LIVEMODE, now=now
    )
    payees.open_account(payee=payee, now=now)
    return HttpResponseRedirect(reverse("console-onboarding" if payee.account else "console-payouts"))


@require_safe
@for_providers
def onboarding(request: HttpRequest) -> HttpResponse:
    """A fresh link to the processor's page about this payee."""
    payee = payees.payee_of(organization=current_organization(request))
    here = reverse("console-payouts")
    if payee is None:
        return HttpResponseRedirect(here)
    try:
        return HttpResponseRedirect(on_this_host(payees.onboarding_page(payee=payee)))
    except PayeeNotReady as error:
        messages.warning(request, refusal_text(error))
    except GatewayError:
        messages.error(request, _("The processor does not answer just now; try again in a minute."))
    return HttpResponseRedirect(here)


def _payout(request: HttpRequest, payout: str) -> Payout:
    mine: Organization = current_organization(request)
    row: Payout = Payout.objects.of([mine]).by_public_id(payout)
    return row


@require_safe
@for_providers
def payout_page(request: HttpRequest, payout: str) -> HttpResponse:
    """One payout and every line that it is made of."""
    row = _payout(request, payout)
    lines = lines_of(row)
    told = _with_jobs([each.line for each in lines])
    matured = int(row.lines.aggregate(sum=Sum("amount"))["sum"] or 0)
    context = {
        "payout": row,
        "rows": [{**about, "matured": each.matured} for about, each in zip(told, lines, strict=True)],
        "matured": matured,
        "other": row.amount + row.netted - matured,
    }
    return render(request, "console/payout.html", context)


@require_safe
@for_providers
def payout_csv(request: HttpRequest, payout: str) -> HttpResponse:
    """The lines of a payout as a table to file."""
    row = _payout(request, payout)
    answer = HttpResponse(as_csv(row, lines_of(row)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{row.public_id}.csv"'
    return answer
