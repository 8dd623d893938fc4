"""Pages of reservations: what is promised, until when a hold lasts, and what can still be done."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.tenancy import organizations_of
from frontend.components import states
from frontend.components.formats import duration
from frontend.store.access import attempt, for_members
from frontend.store.billwords import bill_lines
from frontend.store.greenorder import promise_words
from frontend.store.orderbills import bill_of_order
from frontend.store.pager import listing
from frontend.store.promisedmoney import cancelled_words, cancelling_words, credits_of, given_up_words, money_of
from frontend.store.receipts import receipt_link
from frontend.store.refusals import Shortfall, shortfall
from frontend.store.reservationchanges import change_of
from frontend.store.standing import orders_shown
from frontend.store.waits import waits_shown
from marketplace.booking import services, settling
from marketplace.booking.greenpromises import promise_of
from marketplace.booking.models import Reservation
from marketplace.booking.querysets import ReservationQuerySet
from marketplace.booking.reservationview import reservation_as_json
from marketplace.booking.states import RESERVATION
from marketplace.common.clock import utc_now
from marketplace.events.models import Event
from marketplace.ledger.wallets import wallet_of
from scheduler import inside
from scheduler.jobview import job_summary
from scheduler.models import Job

PATH = ("held", "confirmed", "active", "completed")
MOST_JOBS = 20
GROUPS = {"open": ("held", "confirmed", "active"), "past": ("completed", "expired", "cancelled", "failed")}


def mine(request: HttpRequest) -> ReservationQuerySet:
    """The reservations of the person's organizations."""
    rows = Reservation.objects.of(organizations_of(request)).with_terms().with_changes()
    return rows.select_related("offer__site__zone")


@require_safe
@for_members
def reservation_list(request: HttpRequest) -> HttpResponse:
    """Every reservation, the newest first."""
    group = request.GET.get("state", "")
    rows = mine(request)
    shown = rows.filter(state__in=GROUPS[group]) if group in GROUPS else rows
    page = listing(request, shown)
    context = {
        "page": page,
        "reservations": [_shown(each) for each in page.rows],
        "tabs": _tabs(group),
        "orders": orders_shown(request),
        "waits": waits_shown(request),
        "empty": not page.rows and not rows.exists(),
    }
    return render(request, "reservations/list.html", context)


def _tabs(group: str) -> list[dict[str, Any]]:
    words = {"": _("All"), "open": _("Open"), "past": _("Past")}
    return [
        {"name": word, "href": f"?state={key}", "current": key == group or (not key and group not in GROUPS)}
        for key, word in words.items()
    ]


def _shown(reservation: Reservation) -> dict[str, Any]:
    """The reservation as the API has it, with times as times and the part of the hold that is left."""
    now = utc_now()
    held = reservation.state == "held" and reservation.expires_at is not None
    left = max(0, int((reservation.expires_at - now).total_seconds())) if held and reservation.expires_at else 0
    return reservation_as_json(reservation) | {
        "start": reservation.start,
        "end": reservation.end,
        "expires_at": reservation.expires_at if held else None,
        "left": f"{left // 60}:{left % 60:02d}",
        "lapsed": held and not left,
        "zone": reservation.offer.site.zone.timezone,
        "created": reservation.created_at,
        "length": duration((reservation.end - reservation.start).total_seconds()),
    }


@require_safe
@for_members
def reservation_page(request: HttpRequest, reservation: str) -> HttpResponse:
    """One reservation: window, frozen price, terms and what happened."""
    row = mine(request).by_public_id(reservation)
    shown = _shown(row)
    context = {
        "reservation": shown,
        "timeline": _timeline(row),
        "bill": bill_lines(shown["price_lines"]),
        "bought": row.contracts if len(row.contracts) > 1 else [],
        "jobs": _jobs(row),
        "takes_jobs": row.state in RESERVATION.open and row.end > utc_now(),
        "change": change_of(request.GET, lambda: mine(request).get(pk=row.pk)),
        "can_confirm": row.state == "held",
        "can_cancel": "cancelled" in RESERVATION.moves[row.state],
        "terms": row.contract.terms,
        "provider": row.offer.site.provider.name,
        "given_up": _given_up(row) if row.state == "failed" else "",
        "money": money_of([each.subject for each in row.contracts], row.contract.currency),
        "credits": credits_of(each.subject for each in row.contracts),
        "invoicing": bill_of_order(
            order=row.public_id,
            subjects=[each.subject for each in row.contracts],
            buyer=row.buyer,
            ended=row.state in RESERVATION.final,
        ),
        "receipt": receipt_link(row.public_id),
        "promise": promise_words(promise_of(row)),
        "refund": settling.refund_of(reservation=row, now=utc_now()),
        "cancelling": _cancelling(row) if row.state in RESERVATION.open else "",
        "short": _short(row) if row.state == "held" else None,
        "rate_mm": row.contract.rate_mm[0] + row.contract.electricity_mm,
    }
    return render(request, "reservations/reservation.html", context)


def _jobs(reservation: Reservation) -> dict[str, Any]:
    """The last jobs inside it, and how many there are."""
    jobs = Job.objects.filter(reservation=reservation)
    rows = [job_summary(job, list(job.attempts.all())) for job in jobs.with_story()[:MOST_JOBS]]
    return {"rows": rows, "count": jobs.count()}


def _cancelling(reservation: Reservation) -> str:
    contract = reservation.contract
    return cancelling_words(
        free_until=settling.free_until(contract), idle_bp=contract.terms.get("idle_bp", 0),
        zone=reservation.offer.site.zone.timezone, now=utc_now(),
    )  # fmt: skip


def _given_up(reservation: Reservation) -> str:
    """Why its provider did not keep it, and what its buyer has for it."""
    subjects = [each.subject for each in reservation.contracts]
    paid = money_of(subjects, reservation.contract.currency)
    return given_up_words(reason=reservation.reason, money_=paid, credits_=credits_of(subjects))


def _short(reservation: Reservation) -> Shortfall | None:
    """What the wallet lacks to confirm it."""
    contract = reservation.contract
    there = wallet_of(organization=reservation.buyer, asset=contract.currency, livemode=settings.LIVEMODE).available
    if there >= contract.total_minor:
        return None
    back = reverse("reservation", args=[reservation.public_id])
    return shortfall(needed=contract.total_minor, there=there, currency=contract.currency, back=back)


def _timeline(reservation: Reservation) -> list[dict[str, Any]]:
    """The path to completion; a reservation that ended otherwise ends with that."""
    events = Event.objects.of_object(reservation.public_id).order_by("object_seq")
    reached = {event.state: event.at for event in events}
    state = reservation.state
    path = list(PATH) if state in PATH else [*(step for step in PATH if step in reached), state]
    here = path.index(state)
    tone = "now" if state in RESERVATION.open else "done" if state == "completed" else "bad"
    return [
        {
            "key": key,
            "name": states.name(key),
            "state": "done" if index < here else tone if index == here else "",
            "at": reached.get(key),
        }
        for index, key in enumerate(path)
    ]


@require_POST
@for_members
def confirm_reservation(request: HttpRequest, reservation: str) -> HttpResponse:
    """Make a held reservation firm; one that lapsed says so."""
    row = mine(request).by_public_id(reservation)
    attempt(
        request,
        lambda: services.confirm(reservation=row, now=utc_now()),
        done=_("Confirmed: the hours are yours at this price."),
        back=reverse("reservation", args=[row.public_id]),
    )
    return HttpResponseRedirect(reverse("reservation", args=[row.public_id]))


@require_POST
@for_members
def cancel_reservation(request: HttpRequest, reservation: str) -> HttpResponse:
    """End a reservation that has not begun and give its hours back."""
    row = mine(request).by_public_id(reservation)
    if attempt(request, lambda: inside.cancel_reservation(reservation=row, now=utc_now())):
        ended = money_of([each.subject for each in row.contracts], row.contract.currency)
        charged, returned = (ended.charged, ended.returned) if ended else (0, 0)
        messages.success(request, cancelled_words(charged=charged, returned=returned, currency=row.contract.currency))
    return HttpResponseRedirect(reverse("reservation", args=[row.public_id]))
