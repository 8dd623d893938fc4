"""A reservation is changed on its page: first what that comes to, then the change at the price that was shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.tenancy import organizations_of
from frontend.store.access import attempt, for_members
from frontend.store.acts import act_once
from frontend.store.billwords import bill_lines
from frontend.store.refusals import refusal_told
from marketplace.booking.changing import FIRM, MOST_HOURS, first_open_hour
from marketplace.booking.models import Reservation
from marketplace.booking.reservationview import change_as_json
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError
from marketplace.common.ids import new_id
from scheduler.inside import extend_reservation, resize_reservation

LONGEST = 9  # digits


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody typed: `hours` more, or so many `units`."""

    kind: str
    number: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Wish | None":
        """The first that is there; what is no number is out of every range."""
        for kind in ("hours", "units"):
            if text := str(values.get(kind, "")).strip():
                return cls(kind, int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST else 0)
        return None

    def carry_out(self, reservation: Reservation, now: datetime, shown: int | None = None) -> None:
        """Change the reservation. Raises as the services do."""
        if self.kind == "hours":
            extend_reservation(reservation=reservation, hours=self.number, now=now, shown_minor=shown)
        else:
            resize_reservation(reservation=reservation, units=self.number, now=now, shown_minor=shown)


def change_of(values: Mapping[str, Any], read: Callable[[], Reservation]) -> dict[str, Any]:
    """What the page says of a change: whether there can be one, and what the wish of `values` would come to."""
    now, row, wish = utc_now(), read(), Wish.of(values)
    if row.state not in FIRM or row.end <= now:
        return {"possible": False}
    facts = {
        "possible": True,
        "units_possible": first_open_hour(row, now) < row.end,
        "most_hours": MOST_HOURS,
        "wish": wish,
        "request_key": new_id("key"),
    }
    return facts | (_tried(wish, row, now) if wish else {})


def _tried(wish: Wish, row: Reservation, now: datetime) -> dict[str, Any]:
    """The change and its price, made and taken back at once; or why it cannot be."""
    try:
        with transaction.atomic():
            wish.carry_out(row, now)
            made = row.changes.select_related("contract").latest("pk")
            transaction.set_rollback(True)
    except DomainError as error:
        return {"refused": refusal_told(error, reverse("reservation", args=[row.public_id]))}
    told = change_as_json(made)
    return {
        "told": told | {"units": abs(made.units)},
        "start": made.contract.start if made.contract else made.start,
        "end": made.end,
        "gives_back": made.units < 0,
        "bill": bill_lines(told["price_lines"]),
    }


@require_POST
@for_members
def change_reservation(request: HttpRequest, reservation: str) -> HttpResponse:
    """Make the change at the price that was shown; a form sent twice changes once."""
    row = Reservation.objects.of(organizations_of(request)).with_terms().by_public_id(reservation)
    wish, shown = Wish.of(request.POST), request.POST.get("total_minor", "")
    if wish is not None:

        def act() -> dict[str, Any]:
            wish.carry_out(row, utc_now(), int(shown) if shown.isascii() and shown.isdigit() else None)
            return {}

        done = _("The reservation is changed.")
        attempt(request, lambda: act_once(request, f"{wish.kind} {wish.number} {shown}", act), done=done)
    return HttpResponseRedirect(reverse("reservation", args=[row.public_id]))
