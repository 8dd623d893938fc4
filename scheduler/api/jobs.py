"""Jobs over HTTP."""

import json
import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.tenancy import current_organization, key_of, organizations_of
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.paging import paged
from marketplace.common.parsing import BoundedJSONParser, parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from scheduler import services
from scheduler.api.jobparsing import YamlParser, job_from
from scheduler.jobfile.parsing import MOST_MINOR
from scheduler.jobview import job_as_json, job_summary, outputs_of
from scheduler.logs import read_log
from scheduler.models import Job
from scheduler.querysets import JobQuerySet
from scheduler.raising import raise_budget
from scheduler.waiting import wait_while_queued
from scheduler.whyview import why_of

LONGEST_WAIT_S = 20
PREFERRED_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.ASCII | re.IGNORECASE)
SCOPES = {"GET": "jobs:read", "POST": "jobs:write"}


class RelaxInput(serializers.Serializer[dict[str, Any]]):
    """New values of limits in the API's units; null drops a limit."""

    limits = serializers.DictField(allow_empty=False)


class RaiseInput(serializers.Serializer[dict[str, Any]]):
    """A larger budget, in minor units."""

    max_total = serializers.IntegerField(min_value=1, max_value=MOST_MINOR)


def mine(request: Request) -> JobQuerySet:
    """The jobs of the caller's organizations, with their story."""
    return Job.objects.of(organizations_of(request)).with_story()


def actor_of(request: Request) -> services.Actor:
    """Who submits: the organization, by a person or a key."""
    user = request.user if request.user.is_authenticated else None
    return services.Actor(organization=current_organization(request), user=user, api_key=key_of(request))


def show(request: Request, job: str) -> dict[str, Any]:
    """The job as JSON, read afresh."""
    return job_as_json(mine(request).by_public_id(job), utc_now())


def preferred_wait(request: Request) -> int:
    """The seconds of `Prefer: wait=…` (RFC 7240, section 4.3), at most 20; 0 without one that can be read."""
    found = PREFERRED_WAIT.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), LONGEST_WAIT_S) if found else 0


class JobsView(APIView):
    """List and submit jobs."""

    scopes = SCOPES
    parser_classes = [BoundedJSONParser, YamlParser]

    @extend_schema(
        tags=["jobs"], operation_id="jobs_list", responses={200: dict},
        parameters=[OpenApiParameter("state", many=True), OpenApiParameter("name"), OpenApiParameter("gang_id"),
                    OpenApiParameter("reservation")],
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """The caller's jobs, newest first."""
        jobs = mine(request)
        if states := request.query_params.getlist("state"):
            jobs = jobs.filter(state__in=states)
        if name := request.query_params.get("name"):
            jobs = jobs.filter(name__icontains=name)
        if gang := request.query_params.get("gang_id"):
            jobs = jobs.filter(gang__name=gang)
        if reservation := request.query_params.get("reservation"):
            jobs = jobs.filter(reservation__public_id=reservation)
        return paged(request, jobs, lambda job: job_summary(job, list(job.attempts.all())), now=utc_now())

    @extend_schema(
        tags=["jobs"], request={"application/json": dict, "application/yaml": str}, responses={201: dict},
        parameters=[
            OpenApiParameter("dry_run", bool),
            OpenApiParameter("Prefer", str, "header", description="`wait=20`: seconds to wait for the allocation."),
        ],
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Submit a job file; `dry_run=true` answers the plan and stores nothing.

        `Prefer: wait=20` (RFC 7240) lets the answer wait until the job is allocated, at most 20 s.
        """
        answer = self.submit(request)
        wait_s = preferred_wait(request)
        if wait_s and answer.status_code == status.HTTP_201_CREATED:
            if wait_while_queued(job=answer.data["id"], seconds=wait_s):
                answer.data = answer.data | show(request, answer.data["id"])
            answer["Preference-Applied"] = f"wait={wait_s}"
        return answer

    @idempotent(required=True)
    def submit(self, request: Request) -> Response:
        """Store the job with its idempotency key, or answer its plan."""
        now = utc_now()
        file, named = job_from(request.data)
        actor = actor_of(request)
        if request.query_params.get("dry_run") == "true":
            return Response(services.plan_job(actor=actor, file=file, now=now))
        inputs = services.uploads_of(organization=actor.organization, named=named)
        job = services.submit_job(actor=actor, file=file, inputs=inputs, now=now)
        return Response(show(request, job.public_id) | {"report": file.report_as_json()}, status=201)


class JobView(APIView):
    """One job."""

    scopes = SCOPES

    @extend_schema(tags=["jobs"], responses={200: dict})
    def get(self, request: Request, job: str) -> Response:
        """State, attempts, allocation, use, cost and outputs."""
        return Response(show(request, job))


class CancelJobView(APIView):
    """Stop a job."""

    scopes = SCOPES

    @extend_schema(tags=["jobs"], request=None, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, job: str) -> Response:
        """End what waits at once; what runs stops at its agent's next heartbeat."""
        services.cancel_job(job=mine(request).by_public_id(job), now=utc_now())
        return Response(show(request, job))


class RelaxJobView(APIView):
    """Loosen limits of a waiting job."""

    scopes = SCOPES

    @extend_schema(tags=["jobs"], request=RelaxInput, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, job: str) -> Response:
        """Change or drop limits; the matcher looks again at once."""
        ask = parse(RelaxInput, request.data)
        services.relax_job(job=mine(request).by_public_id(job), limits=ask["limits"], now=utc_now())
        return Response(show(request, job))


class RaiseJobView(APIView):
    """Give a job that stops by its budget more of it."""

    scopes = SCOPES

    @extend_schema(tags=["jobs"], request=RaiseInput, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def post(self, request: Request, job: str) -> Response:
        """Hold more for it; what runs goes on until that is used up. The same budget again changes nothing."""
        budget_minor = parse(RaiseInput, request.data)["max_total"]
        raise_budget(job=mine(request).by_public_id(job), budget_minor=budget_minor, now=utc_now())
        return Response(show(request, job))


class RetryJobView(APIView):
    """Submit an ended job again."""

    scopes = SCOPES

    @extend_schema(tags=["jobs"], request=None, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request, job: str) -> Response:
        """A new job with the same file and inputs."""
        old = mine(request).by_public_id(job)
        new = services.retry_job(job=old, actor=actor_of(request), now=utc_now())
        return Response(show(request, new.public_id), status=201)


class WhyView(APIView):
    """Why this offer."""

    scopes = SCOPES

    @extend_schema(tags=["jobs"], responses={200: dict})
    def get(self, request: Request, job: str) -> Response:
        """The chosen offer, its cost parts, the runner-up, and every refusal with its reason."""
        return Response(why_of(mine(request).by_public_id(job)))


class ArtifactsView(APIView):
    """What a job left behind."""

    scopes = SCOPES

    @extend_schema(tags=["jobs"], responses={200: dict})
    def get(self, request: Request, job: str) -> Response:
        """Output files with signed links."""
        outputs = outputs_of(list(mine(request).by_public_id(job).attempts.all()))
        return Response({"object": "list", "data": outputs, "has_more": False})


class LogsView(APIView):
    """A job's log."""

    scopes = SCOPES

    @extend_schema(
        tags=["jobs"], responses={(200, "application/x-ndjson"): str},
        parameters=[OpenApiParameter(name, int) for name in ("number", "offset", "limit", "follow")],
    )  # fmt: skip
    def get(self, request: Request, job: str) -> HttpResponseBase:
        """One JSON object a line; `follow=1` streams."""
        if request.query_params.get("follow") == "1":
            return HttpResponseRedirect(f"{settings.STREAM_URL}{request.get_full_path()}", status=307)
        row = mine(request).by_public_id(job)
        numbers = {name: _whole(request, name) for name in ("number", "offset")}
        lines = _lines(row, numbers["number"], numbers["offset"], _whole(request, "limit", 1000))
        return StreamingHttpResponse(lines, content_type="application/x-ndjson")


def _whole(request: Request, name: str, otherwise: int = 0) -> int:
    field = serializers.IntegerField(min_value=0, max_value=10**12)
    given = request.query_params.get(name)
    return otherwise if given is None else int(field.run_validation(given))


def _lines(job: Job, number: int, offset: int, limit: int) -> Iterator[str]:
    for part in read_log(job, number=number, offset=offset, limit=limit):
        yield (
            json.dumps(
                {
                    "attempt": part.attempt,
                    "number": part.number,
                    "offset": part.offset,
                    "next_offset": part.next_offset,
                    "text": part.text,
                    "at": rfc3339(part.at),
                },
                ensure_ascii=False,
            )
            + "\n"
        )
