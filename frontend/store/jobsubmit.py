"""The page that submits a job: a form beside the job file, a check that plans it, and the submission."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.idempotency import Answer, once
from accounts.models import Organization
from accounts.tenancy import actor_of, current_organization, organizations_of, person_of
from frontend.store import jobstory, piecewords
from frontend.store.access import for_members
from frontend.store.jobdrafts import keep_draft, kept_draft
from frontend.store.jobexamples import example, examples
from frontend.store.jobform import JobForm, as_yaml, from_file, into_file, tree_of
from frontend.store.refusals import Shortfall, about_money, refusal_text, refusal_told, shortfall_of
from marketplace.booking.models import Reservation
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError, FieldProblem, MalformedBody, ValidationFailed
from marketplace.common.ids import new_id
from scheduler import services
from scheduler.errors import NeverFits, NoOfferFits
from scheduler.files import store_upload
from scheduler.jobfile import JobFile, JobFileInvalid, parse
from scheduler.jobfile.keys import LIMITS
from scheduler.jobfile.yaml_source import load_yaml
from scheduler.models import Job, Upload

LONGEST_FILE = 256 * 1024
KEYS = {limit: key for key, limit in LIMITS.items()} | {"total__lte": "max_total"}
TIMES = ("finish_by", "start_after")


class FormIncomplete(Exception):
    """The file is to be written from the form, and the form has errors of its own."""


@dataclass(slots=True)
class Draft:
    """A job on its way: its file, the form beside it, files kept for it, and what the market says of it."""

    text: str
    form: JobForm
    organization: Organization
    inputs: list[tuple[str, Upload]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    refusal: dict[str, Any] | None = None
    short: Shortfall | None = None
    told: str = ""  # a refusal about money that paying in does not mend
    plan: dict[str, Any] | None = None
    said: str = ""
    form_counts: bool = False

    def form_from(self, text: str) -> None:
        """Show in the form what the file says, and in the file what it says."""
        self.text = text
        initial = from_file(tree_of(text), self.organization.currency)
        self.form = JobForm(initial=initial, currency=self.organization.currency)


Act = Callable[[HttpRequest, Draft], str | None]


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def job_new(request: HttpRequest) -> HttpResponse:
    """Show the form, or do what the pressed button says: write, read, relax, check or submit."""
    organization = current_organization(request)
    if request.method != "POST":
        return _show(request, _first_draft(request, organization))
    draft = Draft(
        text=request.POST.get("file", "").replace("\r\n", "\n")[: LONGEST_FILE + 1],
        form=JobForm(request.POST, currency=organization.currency),
        organization=organization,
    )
    act = ACTS.get(request.POST.get("do", ""), _relax if "relax" in request.POST else _check)
    job = _tried(act, request, draft)
    if job:
        return HttpResponseRedirect(reverse("job", args=[job]))
    if draft.form.is_bound and not draft.form_counts:
        draft.form = JobForm(initial=_posted(request), currency=organization.currency)
    return _show(request, draft)


def _tried(act: Act, request: HttpRequest, draft: Draft) -> str | None:
    """The new job's id, or None with what is wrong written into the draft."""
    try:
        draft.inputs = _inputs(request, draft.organization)
        return act(request, draft)
    except FormIncomplete:
        draft.form_counts = True
    except JobFileInvalid as error:
        draft.problems = [each.as_dict() for each in error.errors]
    except ValidationFailed as error:
        draft.problems = [_with_place(each, draft.text) for each in error.problems]
    except (NeverFits, NoOfferFits) as error:
        draft.refusal = _refusal(error, draft)
    except DomainError as error:
        back = f"{reverse('job-new')}?draft=1"
        draft.short = shortfall_of(error, back)
        if about_money(error):
            keep_draft(request, draft.text, draft.inputs)
            if not draft.short:
                draft.told = refusal_told(error, back)
        else:
            draft.problems = [{"pointer": "", "detail": refusal_text(error), "hint": error.hint, "line": None}]
    return None


def _show(request: HttpRequest, draft: Draft) -> HttpResponse:
    marked = {problem["line"] for problem in draft.problems if problem.get("line")}
    lines = [
        {"number": number, "text": text, "wrong": number in marked}
        for number, text in enumerate(draft.text.split("\n"), start=1)
        if marked and min(abs(number - line) for line in marked) <= 2
    ]
    context = {
        "draft": draft,
        "lines": lines,
        "examples": examples(),
        "request_key": request.POST.get("request_key") or new_id("key"),
    }
    status = 402 if draft.short else 422 if draft.problems or draft.told or draft.refusal or draft.form.errors else 200
    return render(request, "jobs/new.html", context, status=status)


def _first_draft(request: HttpRequest, organization: Organization) -> Draft:
    """From an example, a reservation, an earlier job, the shop's filters, or empty."""
    draft = Draft("", JobForm(currency=organization.currency), organization)
    chosen = example(request.GET.get("example", ""))
    if chosen is not None:
        draft.form_from(chosen.text)
    elif named := request.GET.get("reservation"):
        held = Reservation.objects.of(organizations_of(request)).with_terms().by_public_id(named)
        draft.form_from(as_yaml(_inside(held)))
    elif request.GET.get("draft"):
        text, draft.inputs = kept_draft(request, organization)
        draft.form_from(text)
    elif source := request.GET.get("from"):
        old = Job.objects.of(organizations_of(request)).by_public_id(source)
        draft.form_from(as_yaml(old.file))
        draft.inputs = [(each.path, each.upload) for each in old.inputs.select_related("upload")]
    else:
        draft.form = JobForm(initial=_from_shop(request.GET), currency=organization.currency)
    return draft


def _inside(held: Reservation) -> dict[str, Any]:
    """A job file that runs on all units of a reservation."""
    hardware = held.offer.hardware
    cpus, accelerators = {"cpus": held.units}, {"accelerators": f"{hardware.accelerator}:{held.units}"}
    market = {"time_limit_s": 600, "reservation": held.public_id}
    return {"resources": cpus if hardware.family == "cpu" else accelerators, "config": {"joulemart": market}}


def _from_shop(query: Mapping[str, Any]) -> dict[str, Any]:
    """The form as the shop's filters would fill it."""
    hours, share = query.get("hours", ""), query.get("renewable_share__gte", "")
    initial = {
        "accelerator": query.get("accelerator", ""),
        "units": query.get("units", ""),
        "minutes": int(hours) * 60 if hours.isdigit() else "",
        "near": query.get("near", ""),
        "latency_ms": query.get("latency_ms__lte", ""),
        "renewable": share[2:4].ljust(2, "0") if share.startswith("0.") else "",
        "when": query.get("when", ""),
    }
    return {name: value for name, value in initial.items() if value}


def _posted(request: HttpRequest) -> dict[str, Any]:
    """The form's values as they came, shown again without judging them."""
    return {name: request.POST.get(name, "") for name in JobForm.base_fields}


def _inputs(request: HttpRequest, organization: Organization) -> list[tuple[str, Upload]]:
    """Files kept from before, without those dropped, and the ones sent now."""
    dropped = set(request.POST.getlist("drop"))
    named = []
    for each in request.POST.getlist("input"):
        upload, _colon, path = each.partition(":")
        if upload not in dropped:
            named.append({"upload": upload, "path": path})
    kept = services.uploads_of(organization=organization, named=named)
    taken = {path for path, _upload in kept}
    for content in request.FILES.getlist("files"):
        path = str(content.name)
        if path in taken:
            raise ValidationFailed([FieldProblem("/inputs", "bad_value", f"{path} comes twice")])
        kept.append((path, store_upload(owner=organization, content=content, now=utc_now())))
        taken.add(path)
    return kept


def _write(_request: HttpRequest, draft: Draft) -> None:
    """The form goes into the file."""
    if not draft.form.is_valid():
        raise FormIncomplete
    tree = into_file(draft.form.cleaned_data, tree_of(draft.text), draft.organization.currency)
    draft.form_from(as_yaml(tree))
    draft.said = _("The file says what the form says.")


def _read(_request: HttpRequest, draft: Draft) -> None:
    """The file goes into the form."""
    draft.form_from(draft.text)
    draft.said = _("The form shows what the file says.")


def _relax(request: HttpRequest, draft: Draft) -> None:
    """Loosen limits in the file, then check it."""
    try:
        changes = json.loads(request.POST["relax"])
    except ValueError as error:
        raise MalformedBody("the limits of this button cannot be read; reload the page") from error
    draft.form_from(as_yaml(_relaxed(tree_of(draft.text), changes)))
    _check(request, draft)


def _relaxed(tree: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The file with these limits, given by the names of the shop's filters, changed or (None) dropped."""
    config = dict(tree.get("config") or {})
    market = dict(config.get("joulemart") or {})
    for name, value in changes.items():
        key = KEYS.get(name, name)
        market.pop(key, None)
        if value is not None:
            market[key] = value
    return tree | {"config": config | {"joulemart": market}}


def _check(_request: HttpRequest, draft: Draft) -> None:
    """What would happen, and nothing else."""
    file, actor = _file(draft), services.Actor(organization=draft.organization)
    plan = services.plan_job(actor=actor, file=file, now=utc_now())
    draft.plan = _plan(plan, file, draft.organization.currency)


def _file(draft: Draft) -> JobFile:
    """The job of the file; an empty file and a filled form mean the form."""
    if not draft.text.strip():
        if not draft.form.is_valid():
            raise FormIncomplete
        draft.form_from(as_yaml(into_file(draft.form.cleaned_data, {}, draft.organization.currency)))
    return parse(draft.text)


def _submit(request: HttpRequest, draft: Draft) -> str:
    """The job for real; the public id of it, the same for a form sent twice."""
    file = _file(draft)
    actor = services.Actor(organization=draft.organization, user=person_of(request))
    return submit_once(
        request,
        draft.text,
        lambda: services.submit_job(actor=actor, file=file, inputs=draft.inputs, now=utc_now()),
    )


ACTS: dict[str, Act] = {
    "write": _write,
    "read": _read,
    "check": _check,
    "submit": _submit,
}


def submit_once(request: HttpRequest, content: str, submit: Callable[[], Job]) -> str:
    """The public id of the job that `submit` makes; a form sent twice with one `request_key` makes one job.

    Raises IdempotencyMismatch when the key came with other `content`, and whatever `submit` raises.
    """
    key = request.POST.get("request_key", "")[:80]
    if not key:
        with transaction.atomic():
            return str(submit().public_id)
    answer = once(
        actor=actor_of(request),
        key=f"page:{key}",
        fingerprint=hashlib.sha256(f"{request.path}\n{content}".encode()).hexdigest(),
        now=utc_now(),
        effect=lambda: Answer(status=201, body={"job": submit().public_id}),
    )
    return str(answer.body["job"])


def _with_place(problem: FieldProblem, text: str) -> dict[str, Any]:
    """The problem with the line of its value, where the file has one."""
    shown = {"hint": "", "line": None, "column": None} | problem.as_dict()
    if problem.line is None and problem.pointer.startswith(("/resources", "/config", "/run", "/workdir")):
        line, column = load_yaml(text).position(problem.pointer, of_key=False)
        shown |= {"line": line, "column": column}
    return shown


def _refusal(error: NeverFits | NoOfferFits, draft: Draft) -> dict[str, Any]:
    """Why no offer fits, and what to loosen in the file."""
    currency = draft.organization.currency
    return {
        "never": isinstance(error, NeverFits),
        "rejected": jobstory.counts(error.facts["rejected"]),
        "relax": _ways_out(error.facts["relax"], currency),
    }


def _ways_out(relax: Sequence[Mapping[str, Any]], currency: str) -> list[dict[str, Any]]:
    out = []
    for each in jobstory.ways_out(relax, {"currency": currency}):
        writable = all(name in KEYS or name in TIMES for name in each["changes"])
        out.append(each | {"value": json.dumps(each["changes"]) if writable else ""})
    return out


def _plan(plan: Mapping[str, Any], file: JobFile, currency: str) -> dict[str, Any]:
    """The plan as the page shows it."""
    allocation = plan["allocation"]
    why = allocation["why"] if allocation else None
    unplaced = plan["unplaced"] or {}
    return {
        "allocation": allocation,
        "start": jobstory.moment(allocation["start"]) if allocation else None,
        "end": jobstory.moment(allocation["end"]) if allocation else None,
        "why": jobstory.reasons(why, {"currency": currency}) if why else None,
        "unplaced": unplaced,
        "rejected": jobstory.counts(unplaced.get("rejected", {})),
        "relax": _ways_out(unplaced.get("relax", []), currency),
        "units": file.ask.units,
        "time_limit_s": file.ask.time_limit_s,
        "currency": currency,
        "cost": plan["cost"],
        "reservation": plan["reservation"],
        "report": [line for line in file.report_as_json() if line["action"] in {"dropped", "renamed"}],
        "in_pieces": piecewords.compared(allocation["in_pieces"]) if allocation and allocation["in_pieces"] else None,
    }
