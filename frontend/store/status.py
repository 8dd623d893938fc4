"""The status page, for everybody."""

from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from frontend.components import formats
from marketplace.common.clock import utc_now
from marketplace.events.models import InvariantRun


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the product and whether it answers now."""

    name: str
    answers: bool
    note: str


@dataclass(frozen=True, slots=True)
class Promises:
    """What the independent checker found last; `tone` and `word` are the pill's."""

    note: str
    tone: str
    word: str


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Whether database and message store answer, asked at this moment; 503 when one does not.

    And what the checker found last: a broken promise is told, but the product answers nevertheless.
    """
    now, parts = utc_now(), [_database(), _messages()]
    working = all(part.answers for part in parts)
    promises = _promises(now) if parts[0].answers else None
    context = {"parts": parts, "working": working, "promises": promises, "now": now}
    return render(request, "status.html", context, status=200 if working else 503)


def _promises(now: datetime) -> Promises:
    run = InvariantRun.objects.newest()
    if run is None:
        return Promises(_("Nothing was checked yet; the first check comes within a minute."), "warn", _("Unknown"))
    ago = {"time": formats.duration(max(0, (now - run.finished_at).total_seconds()))}
    if run.broken:
        which = "; ".join(f"{each['id']}: {_(each['promise'])}" for each in run.broken)
        return Promises(_("Checked %(time)s ago. Broken: %(which)s.") % {**ago, "which": which}, "bad", _("Broken"))
    if run.is_late(now):
        return Promises(_("Last checked %(time)s ago, which should be each minute.") % ago, "warn", _("Unknown"))
    if run.outcome == InvariantRun.UNKNOWN:
        return Promises(_("%(time)s ago they could not all be checked.") % ago, "warn", _("Unknown"))
    return Promises(_("Every promise checked %(time)s ago.") % ago, "good", _("Hold"))


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
