"""Jobs on a provider's machines. A provider sees that work runs and how it ended, never whose it is or what it says."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Organization
from accounts.tenancy import current_organization
from frontend.components.formats import duration
from frontend.store.access import for_providers
from frontend.store.pager import listing
from marketplace.common.clock import utc_now
from scheduler.models import Attempt
from scheduler.querysets import AttemptQuerySet

GROUPS = {"live": ("pending", "starting", "running"), "ended": ("ended",)}


def attempts_of(organization: Organization) -> AttemptQuerySet:
    """Attempts on the organization's offers, the newest first."""
    rows = Attempt.objects.filter(allocation__offer__site__provider=organization)
    return rows.select_related("job", "allocation__offer__site__zone", "allocation__contract").order_by("-pk")


@require_safe
@for_providers
def job_list(request: HttpRequest) -> HttpResponse:
    """Every attempt that ran or runs here."""
    group = request.GET.get("state", "")
    everything = attempts_of(current_organization(request))
    page = listing(request, everything.filter(state__in=GROUPS[group]) if group in GROUPS else everything)
    now = utc_now()
    context = {
        "page": page,
        "rows": [{"attempt": each, "ran": _ran(each, now)} for each in page.rows],
        "tabs": [
            {"name": word, "href": f"?state={key}", "current": key == group or (not key and group not in GROUPS)}
            for key, word in (("", _("All")), ("live", _("Live")), ("ended", _("Ended")))
        ],
        "empty": not page.rows and not everything.exists(),
    }
    return render(request, "console/jobs.html", context)


def _ran(attempt: Attempt, now: datetime) -> str:
    if attempt.started_at is None:
        return ""
    until = attempt.ended_at or now
    return duration((until - attempt.started_at).total_seconds())
