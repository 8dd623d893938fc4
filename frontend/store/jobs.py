"""Pages of jobs: the list, one job with everything that is known of it, and what can be done with it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.tenancy import current_organization, organizations_of, person_of
from frontend.components.formats import duration, money, offset
from frontend.store import jobstory, piecewords
from frontend.store.access import attempt, for_members
from frontend.store.billwords import bill_lines, spent
from frontend.store.jobexamples import SAMPLE, example
from frontend.store.jobsubmit import submit_once
from frontend.store.moneyforms import BudgetForm
from frontend.store.orderbills import bill_of_order
from frontend.store.pager import listing
from frontend.store.promisedmoney import credits_of, money_of
from frontend.store.receipts import receipt_link
from marketplace.booking.models import ChargeLine
from marketplace.common.clock import utc_now
from marketplace.common.errors import MalformedBody
from marketplace.common.ids import new_id
from scheduler import raising, services
from scheduler.costs import cost_of, lines_of, signed_until
from scheduler.jobfile import parse
from scheduler.jobview import job_as_json, job_summary
from scheduler.logs import read_log
from scheduler.models import Attempt, Job
from scheduler.querysets import JobQuerySet
from scheduler.states import JOB
from scheduler.whyview import why_of

GROUPS = {
    "waiting": ("queued",),
    "running": ("allocated", "starting", "running"),
    "succeeded": ("succeeded",),
    "ended": ("failed", "cancelled", "expired"),
}


def mine(request: HttpRequest) -> JobQuerySet:
    """The jobs of the person's organizations."""
    return Job.objects.of(organizations_of(request))


@require_safe
@for_members
def job_list(request: HttpRequest) -> HttpResponse:
    """Every job, the newest first, by state and name."""
    group, name = request.GET.get("state", ""), request.GET.get("name", "").strip()
    everything = mine(request)
    jobs = everything.with_story()
    if group in GROUPS:
        jobs = jobs.filter(state__in=GROUPS[group])
    if name:
        jobs = jobs.filter(name__icontains=name)
    page = listing(request, jobs)
    context = {
        "page": page,
        "jobs": _rows(page.rows),
        "tabs": _tabs(group, name),
        "group": group,
        "name": name,
        "empty": not page.rows and not everything.exists(),
        "sample": example(SAMPLE),
        "request_key": new_id("key"),
    }
    return render(request, "jobs/list.html", context)


def _tabs(group: str, name: str) -> list[dict[str, Any]]:
    words = {
        "": _("All"),
        "waiting": _("Waiting"),
        "running": _("Running"),
        "succeeded": _("Succeeded"),
        "ended": _("Other"),
    }
    kept = {"name": name} if name else {}
    return [
        {
            "name": word,
            "href": f"?{urlencode({'state': key} | kept)}",
            "current": key == group or (not key and group not in GROUPS),
        }
        for key, word in words.items()
    ]


def _rows(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Rows with the cost to date, in one query for all of them."""
    now = utc_now()
    attempts = {job.pk: list(job.attempts.all()) for job in jobs}
    every = [each for tries in attempts.values() for each in tries]
    lines, signed = lines_of(every), signed_until(every)
    rows = []
    for job in jobs:
        tries = attempts[job.pk]
        until = job.finished_at or now
        summary = job_summary(job, tries)
        rows.append(
            summary
            | {
                "created": job.created_at,
                "ran": duration((until - job.started_at).total_seconds()) if job.started_at else "",
                "spent": spent(_cost(tries, lines, signed, now), summary["currency"], tries),
            }
        )
    return rows


def _cost(
    tries: Sequence[Attempt], lines: Mapping[str, list[ChargeLine]], signed: Mapping[str, datetime], now: datetime
) -> int:
    return sum(cost_of(each, lines[each.public_id], now, signed.get(each.public_id)) for each in tries)


@require_safe
@for_members
def job_page(request: HttpRequest, job: str) -> HttpResponse:
    """One job: what happens, its log, why it runs where it does, what it costs and what it left behind."""
    row = mine(request).with_story().by_public_id(job)
    tries = list(row.attempts.all())
    view = job_as_json(row, utc_now())
    open_ = row.state in JOB.open
    log = jobstory.log_tail(row, tries)
    zone = jobstory.zone_of_job(tries)
    context = {
        "job": view,
        "open": open_,
        "stopping": open_ and row.cancel_requested_at is not None,
        "budget": _budget(row),
        "timeline": jobstory.timeline(row),
        "zone": zone,
        "offset": offset(row.created_at, zone),
        "attempts": jobstory.attempts_as_steps(view),
        "log": log,
        "stream": f"{settings.STREAM_URL}/api/v1/jobs/{row.public_id}/logs?follow=1",
        "facts": jobstory.energy_facts(view),
        "why": jobstory.reasons(why_of(row), view),
        "limits": jobstory.limits_in_words(view),
        "allocated": jobstory.promised_window(view),
        **_carbon_and_pieces(view),
        "spent": spent(view["cost"]["to_date_minor"], view["currency"], tries),
        "cpu_seconds": view["usage"]["cpu_ms"] // 1000,
        "created": row.created_at,
        "bill": bill_lines(view["allocation"]["price_lines"]) if view["allocation"] else [],
        "money": money_of([row.public_id], view["currency"]),
        "credits": credits_of(each.public_id for each in tries),
        "invoicing": bill_of_order(
            order=row.public_id,
            subjects=[each.allocation.public_id for each in tries],
            buyer=row.buyer,
            ended=row.state in JOB.final,
        ),
        "receipt": receipt_link(row.reservation.public_id if row.reservation else row.public_id),
        "request_key": new_id("key"),
    }
    return render(request, "jobs/job.html", context)


def _carbon_and_pieces(view: Mapping[str, Any]) -> dict[str, Any]:
    return {"cap": jobstory.carbon_cap(view), "pieces": piecewords.of_job(view)}


@require_safe
@for_members
def job_log(request: HttpRequest, job: str) -> HttpResponseBase:
    """The whole log as plain text."""
    row = mine(request).by_public_id(job)
    response = StreamingHttpResponse(_text(row), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{row.public_id}.log"'
    return response


def _text(job: Job) -> Iterator[str]:
    for part in read_log(job, limit=1_000_000):
        yield part.text


def _budget(row: Job) -> BudgetForm | None:
    """The form for a larger budget, where the job stops by one and goes on."""
    if not row.budget_stop or row.state in JOB.final or row.cancel_requested_at is not None:
        return None
    return BudgetForm(currency=row.buyer.currency, least=row.ceiling_minor or 0)


@require_POST
@for_members
def cancel_job(request: HttpRequest, job: str) -> HttpResponse:
    """Stop the job and come back to its page."""
    row = mine(request).by_public_id(job)
    attempt(
        request,
        lambda: services.cancel_job(job=row, now=utc_now()),
        done=_("It is being stopped; what runs ends at its agent's next heartbeat."),
    )
    return HttpResponseRedirect(_address(row.public_id))


@require_POST
@for_members
def relax_job(request: HttpRequest, job: str) -> HttpResponse:
    """Change the limits of a waiting job as the button said."""
    row = mine(request).by_public_id(job)
    attempt(
        request,
        lambda: services.relax_job(job=row, limits=_limits(request.POST.get("limits", "")), now=utc_now()),
        done=_("The limit has changed; the matcher looks again now."),
        back=_address(row.public_id),
    )
    return HttpResponseRedirect(_address(row.public_id))


@require_POST
@for_members
def raise_budget(request: HttpRequest, job: str) -> HttpResponse:
    """Give a job that stops by its budget a larger one."""
    row = mine(request).by_public_id(job)
    form = BudgetForm(request.POST, currency=row.buyer.currency, least=row.ceiling_minor or 0)
    if form.is_valid():
        budget = form.cleaned_data["amount"]
        told = _("It may cost up to %(amount)s now; what runs goes on until that is used up.")
        attempt(
            request,
            lambda: raising.raise_budget(job=row, budget_minor=budget, now=utc_now()),
            done=told % {"amount": money(budget, row.buyer.currency)},
            back=_address(row.public_id),
        )
    else:
        messages.error(request, " ".join(str(each) for each in form.errors["amount"]))
    return HttpResponseRedirect(_address(row.public_id))


def _limits(text: str) -> dict[str, Any]:
    try:
        limits = json.loads(text)
    except ValueError as error:
        raise MalformedBody("the limits of this button cannot be read; reload the page") from error
    if not isinstance(limits, dict) or not limits:
        raise MalformedBody("the limits of this button cannot be read; reload the page")
    return limits


@require_POST
@for_members
def retry_job(request: HttpRequest, job: str) -> HttpResponse:
    """Submit an ended job again, once however often the button is pressed, and show the new one."""
    row = mine(request).by_public_id(job)
    actor = services.Actor(organization=current_organization(request), user=person_of(request))
    new: list[str] = []

    def again() -> None:
        new.append(submit_once(request, row.public_id, lambda: services.retry_job(job=row, actor=actor, now=utc_now())))

    said = _("Submitted again with the same file and inputs.")
    done = attempt(request, again, done=said, back=_address(row.public_id))
    return HttpResponseRedirect(_address(new[0] if done else row.public_id))


@require_POST
@for_members
def submit_sample(request: HttpRequest) -> HttpResponse:
    """Submit the sample job, as anybody would submit it."""
    sample = example(SAMPLE)
    if sample is None:
        messages.error(request, _("This installation came without the sample job."))
        return HttpResponseRedirect(reverse("job-new"))
    actor = services.Actor(organization=current_organization(request), user=person_of(request))
    new: list[str] = []

    def go() -> None:
        file = parse(sample.text)
        new.append(
            submit_once(request, sample.slug, lambda: services.submit_job(actor=actor, file=file, now=utc_now()))
        )

    done = attempt(request, go, back=reverse("job-list"))
    return HttpResponseRedirect(_address(new[0]) if done else reverse("job-list"))


def _address(public_id: str) -> str:
    return reverse("job", args=[public_id])
