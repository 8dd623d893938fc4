"""Energy that a buyer has promised with an order: what may be promised, what a form asks for, what was promised."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from frontend.components.formats import percent_down
from marketplace.booking.greenpromises import promise_of
from marketplace.booking.models import Reservation
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.energy.models import GreenPromise

PERCENT = 10_000  # ppm


def promise_asked(given: QueryDict) -> int | None:
    """The whole per cent that the form wants promised; None where it wants nothing. Raises ValidationFailed."""
    if given.get("promise") != "on":
        return None
    text = given.get("promise_percent", "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 100):
        detail = _("The promise is a whole number of per cent from 1 to 100.")
        raise ValidationFailed([FieldProblem("/promise_green/percent", "bad_value", detail)], detail=detail)
    return int(text)


def promise_on_order(option: Mapping[str, Any], held: Reservation | None) -> dict[str, Any]:
    """{promise, promisable}: what was promised of a held order in words, else the most that could be, in per cent."""
    promise = promise_of(held) if held is not None else None
    if promise is not None:
        return {"promise": promise_words(promise), "promisable": 0}
    return {"promise": None, "promisable": option.get("promisable_percent", 0)}


def promise_words(promise: GreenPromise | None) -> dict[str, str] | None:
    """How much is promised, and what a shortfall gives back."""
    if promise is None:
        return None
    return {
        "percent": percent_down(promise.promised_percent * PERCENT),
        "credit": _("If less is matched, what is missing is credited: at most %(cap)s of the charge.")
        % {"cap": percent_down(promise.cap_ppm)},
    }
