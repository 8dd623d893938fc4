"""What a provider can do about green hours that nobody has bought: each with its money before, and done by a button."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.tenancy import current_organization
from frontend.components.formats import money, window
from frontend.console.hours import Window
from frontend.console.unsold import MM_PER_MINOR, GreenSite, rate_at, worth_mm
from frontend.store.access import attempt, for_providers
from frontend.store.billwords import fine_rate
from marketplace.booking.hours import hour_of_week
from marketplace.booking.services import ensure_capacity
from marketplace.booking.tasks import DAYS_AHEAD
from marketplace.catalog import services
from marketplace.catalog.models import HOURS_OF_WEEK, Offer, Tier
from marketplace.common.clock import HOUR, hour_floor, utc_now
from marketplace.common.errors import FieldProblem, IllegalState, StaleVersion, ValidationFailed

CUTS = (5, 10, 20)
BESIDE_CUT = 30
LONGEST = timedelta(hours=24)
TITLE = 80
IN_TITLE = " · interruptible"


@dataclass(frozen=True, slots=True)
class Priced:
    """A cut of the price: what a unit-hour then costs, and what the unsold units bring when all of them are sold."""

    percent: int
    rate: str
    brings: str
    brings_minor: int


@dataclass(frozen=True, slots=True)
class Proposals:
    """What can be done about one window of one offer."""

    site: GreenSite
    offer: Offer
    window: Window
    when: str
    units: int
    start: str
    end: str
    now: Priced
    cuts: list[Priced]
    beside: Priced | None


def proposals_of(site: GreenSite, zone: str) -> Proposals | None:
    """For the best window of a site and the offer with most of it; None where nothing green is unsold."""
    best = site.best()
    if best is None:
        return None
    offer = site.best_offer(best)
    hours = site.hours[best.first : best.last]

    def priced(cut: int) -> Priced:
        rates = [rate_at(offer, hour.start, 100 - cut) for hour in hours]
        low, high = (fine_rate(rate, offer.currency) for rate in (min(rates), max(rates)))
        minor = worth_mm(offer, hours, 100 - cut) // MM_PER_MINOR
        return Priced(cut, low if low == high else f"{low} – {high}", money(minor, offer.currency), minor)

    return Proposals(
        site, offer, best, window(best.start, best.end, zone), sum(hour.units.get(offer.pk, 0) for hour in hours),
        _text(best.start), _text(best.end), priced(0), [priced(cut) for cut in CUTS],
        priced(BESIDE_CUT) if _can_stand_beside(offer) else None,
    )  # fmt: skip


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:00Z}"


def _can_stand_beside(offer: Offer) -> bool:
    return offer.tier == Tier.FIRM and not Offer.objects.filter(twin=offer).exists()


def _own(request: HttpRequest, offer: str) -> Offer:
    row: Offer = Offer.objects.of_providers([current_organization(request)]).with_shelf().by_public_id(offer)
    return row


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _wrong(pointer: str, detail: str) -> ValidationFailed:
    return ValidationFailed([FieldProblem(pointer, "bad_value", detail)], detail=detail)


@require_POST
@for_providers
def lower_price(request: HttpRequest, offer: str) -> HttpResponse:
    """Lower the price of the window's hours by one of the offered parts; contracts keep theirs."""
    row, now = _own(request, offer), utc_now()

    def act() -> None:
        hours, cut = _window_of(request, now), _number(request, "percent")
        if cut not in CUTS:
            raise _wrong("/percent", _("choose one of the offered prices"))
        rates = {hour_of_week(hour): rate_at(row, hour, 100 - cut) for hour in hours}
        services.reprice_hours(offer=row, rates_mm=rates, version=_number(request, "version"), now=now)

    return _done(request, row, act, _("The price is lowered in these hours of every week; contracts keep theirs."))


def _window_of(request: HttpRequest, now: datetime) -> list[datetime]:
    """The hours that the form names; raises ValidationFailed."""
    try:
        start, end = (datetime.fromisoformat(request.POST.get(name, "")) for name in ("start", "end"))
    except ValueError as error:
        raise _wrong("/start", _("name the first and the last hour")) from error
    if not start.tzinfo or not end.tzinfo or not timedelta() < end - start <= LONGEST or end <= now:
        raise _wrong("/end", _("at most a day that is not over yet"))
    return [hour_floor(start) + n * HOUR for n in range((end - start) // HOUR)]


@require_POST
@for_providers
def offer_beside(request: HttpRequest, offer: str) -> HttpResponse:
    """Sell what firm buyers have not taken as interruptible, at the shown price, from now on."""
    row, now = _own(request, offer), utc_now()
    done = _("An interruptible offer stands beside it now; firm buyers go first.")
    return _done(request, row, lambda: open_beside(offer=row, version=_number(request, "version"), now=now), done)


@transaction.atomic
def open_beside(*, offer: Offer, version: int, now: datetime) -> Offer:
    """A live interruptible offer on the machines of `offer`, each hour at its price less a part.

    Raises StaleVersion where the prices are others than those that were shown, and as `create_offer` does.
    """
    held = Offer.objects.select_for_update(of=("self",), no_key=True).get(pk=offer.pk)
    if held.version != version:
        raise StaleVersion(f"{offer.public_id} was changed meanwhile", id=offer.public_id)
    if held.state != "live":
        raise IllegalState("machines are sold beside an offer on the shelf only", state=held.state)
    rates = [int(rate) * (100 - BESIDE_CUT) // 100 for rate in held.rate_mm]
    beside = services.create_offer(
        site=offer.site, hardware=offer.hardware, title=f"{offer.title[: TITLE - len(IN_TITLE)]}{IN_TITLE}",
        units=held.units, rate_mm=rates[0], now=now, tier=Tier.INTERRUPTIBLE, term=held.term,
        electricity_mm_per_kwh=held.electricity_mm_per_kwh, notice_s=held.notice_s, boot_s=held.boot_s,
        egress=held.egress, description=held.description, twin=held,
    )  # fmt: skip
    ensure_capacity(offer=beside, first=now.date(), days=DAYS_AHEAD)
    whole_week = dict(zip(range(HOURS_OF_WEEK), rates, strict=True))
    services.reprice_hours(offer=beside, rates_mm=whole_week, version=beside.version, now=now)
    return services.publish_offer(offer=beside, now=now)


def _done(request: HttpRequest, offer: Offer, act: Callable[[], Any], done: str) -> HttpResponse:
    """Do it, say so, and come back to the overview; a refusal is said there."""
    attempt(request, act, done=f"{offer.title}: {done}")
    return HttpResponseRedirect(reverse("console"))
