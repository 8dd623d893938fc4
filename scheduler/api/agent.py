"""The agents' protocol: register, claim, heartbeat, log, outputs, finish."""

import base64
import binascii
import time
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.errors import AuthError
from accounts.models import ApiKey
from accounts.tenancy import key_of
from marketplace.common.clock import utc_now
from marketplace.common.errors import FieldProblem, NotFound, ValidationFailed
from marketplace.common.parsing import parse
from marketplace.events.hints import wait_for
from scheduler import leases as leasing
from scheduler.api import agent_inputs as inputs
from scheduler.files import link, promise_output
from scheduler.finishing import finish
from scheduler.leaseview import lease_as_json
from scheduler.logs import append_log
from scheduler.models import Agent
from scheduler.stopping import time_limit
from scheduler.usage import usage_due
from scheduler.waiting import site_channel

POLL_SECONDS = 1.0


class AgentView(APIView):
    """Only keys with the scope `agent` come here."""

    scopes = {"POST": "agent"}


def key_of_agent(request: Request) -> ApiKey:
    """The agent's key; a person's session is none."""
    key = key_of(request)
    if key is None:
        raise AuthError("agents send their key as Authorization: Bearer")
    return key


def agent_of(request: Request, public_id: str) -> Agent:
    """The registered agent of this key, or NotFound."""
    found = Agent.objects.filter(api_key=key_of_agent(request), public_id=public_id).select_related(
        "site", "api_key__organization"
    )
    agent = found.first()
    if agent is None:
        raise NotFound(f"no agent {public_id} under this key", hint="register first")
    return agent


@extend_schema(tags=["agent"], request=inputs.RegisterInput, responses={200: dict})
class RegisterView(AgentView):
    """Say who the agent is and what it found."""

    def post(self, request: Request) -> Response:
        now = utc_now()
        agent = leasing.register_agent(
            key=key_of_agent(request), facts=parse(inputs.RegisterInput, request.data), now=now
        )
        return Response(
            {
                "object": "agent",
                "agent": agent.public_id,
                "site": agent.site.public_id,
                "site_name": agent.site.name,
                "intervals": {
                    "lease_s": settings.LEASE_SECONDS,
                    "heartbeat_s": settings.HEARTBEAT_SECONDS,
                    "poll_s": 20,
                },
                "clock_skew_s": agent.clock_skew_ms / 1000,
            }
        )


@extend_schema(tags=["agent"], request=inputs.ClaimInput, responses={200: dict})
class ClaimView(AgentView):
    """Claim work that is due; waits up to 25 s for some."""

    def post(self, request: Request) -> Response:
        ask = parse(inputs.ClaimInput, request.data)
        agent = agent_of(request, ask["agent"])
        deadline = time.monotonic() + ask["wait_s"]
        with wait_for(site_channel(agent)) as news:
            while True:
                leasing.note_seen(agent=agent, now=utc_now())
                now = utc_now()
                claimed = leasing.claim_leases(agent=agent, most=ask["max"], now=now, holds=ask["holds"])
                left = deadline - time.monotonic()
                if claimed or left <= 0:
                    return Response({"object": "list", "leases": [lease_as_json(lease, now) for lease in claimed]})
                news.wait(min(left, POLL_SECONDS))


@extend_schema(tags=["agent"], request=inputs.HeartbeatInput, responses={200: dict})
class HeartbeatView(AgentView):
    """Keep a lease alive; learn whether to stop."""

    def post(self, request: Request, lease: str) -> Response:
        beat = parse(inputs.HeartbeatInput, request.data)
        now = utc_now()
        held = leasing.renew(public_id=lease, key=key_of_agent(request), now=now, **beat)
        leasing.note_seen(agent=held.agent, now=utc_now())
        return Response(
            {
                "lease_s": settings.LEASE_SECONDS,
                "cancel": leasing.cancel_asked(held, now),
                "notice": None,
                "usage_due": usage_due(held.attempt, now),
                "time_limit_s": time_limit(held),
            }
        )


@extend_schema(tags=["agent"], request=inputs.LogInput, responses={200: dict})
class LogView(AgentView):
    """Append to the log by offset."""

    def post(self, request: Request, lease: str) -> Response:
        part = parse(inputs.LogInput, request.data)
        offset, full = append_log(
            public_id=lease, key=key_of_agent(request), epoch=part["epoch"], offset=part["offset"],
            data=_bytes(part["data"]), now=utc_now(),
        )  # fmt: skip
        return Response({"offset": offset, "quota_exceeded": full})


@extend_schema(tags=["agent"], request=inputs.OutputInput, responses={201: dict})
class OutputView(AgentView):
    """Announce an output; the answer says where its bytes go."""

    def post(self, request: Request, lease: str) -> Response:
        output = parse(inputs.OutputInput, request.data)
        artifact = promise_output(lease=lease, key=key_of_agent(request), now=utc_now(), **output)
        answer = {"artifact": artifact.public_id, "url": link("put", artifact.public_id), "method": "PUT"}
        return Response(answer, status=201)


@extend_schema(tags=["agent"], request=inputs.FinishInput, responses={200: dict})
class FinishView(AgentView):
    """Say how the attempt ended; a repeat changes nothing."""

    def post(self, request: Request, lease: str) -> Response:
        report: dict[str, Any] = parse(inputs.FinishInput, request.data)
        job = finish(public_id=lease, key=key_of_agent(request), report=report, now=utc_now())
        return Response({"state": job.state})


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValidationFailed([FieldProblem("/data", "bad_value", "not base64")]) from error
