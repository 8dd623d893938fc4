"""The status page, for everybody."""

from dataclasses import dataclass

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from marketplace.common.clock import utc_now


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the product and whether it answers now."""

    name: str
    answers: bool
    note: str


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Whether database and message store answer, asked at this moment; 503 when one does not."""
    parts = [_database(), _messages()]
    working = all(part.answers for part in parts)
    context = {"parts": parts, "working": working, "now": utc_now()}
    return render(request, "status.html", context, status=200 if working else 503)


def _database() -> Part:
    name = _("Database: offers, bookings and the job queue")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Part(name, answers=False, note=_("Nothing can be read or booked until it answers."))
    return Part(name, answers=True, note=_("Read and written by every page and call."))


def _messages() -> Part:
    name = _("Messages: wake-ups and live updates")
    try:
        cache.get("status")
    except (RedisError, OSError):
        return Part(name, answers=False, note=_("Jobs go on with a delay of a few seconds; no job is lost."))
    return Part(name, answers=True, note=_("Carries hints between the processes; nothing is kept in it alone."))
