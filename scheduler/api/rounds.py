"""Match rounds and agents over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role
from accounts.tenancy import organizations_of
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.errors import NotFound
from marketplace.common.paging import paged
from scheduler.cycle import replay
from scheduler.leases import silent_since
from scheduler.models import Agent, MatchRound


def round_as_json(round_: MatchRound) -> dict[str, Any]:
    """Figures of one round."""
    reference = round_.reference
    return {
        "object": "match_round",
        "id": round_.public_id,
        "segment": round_.segment,
        "region_group": round_.region_group or None,
        "mode": round_.mode,
        "core_version": round_.core_version,
        "now": rfc3339(round_.now),
        "reference": {"p_lo": reference.p_lo, "p_mid": reference.p_mid, "p_hi": reference.p_hi},
        "jobs_seen": round_.jobs_seen,
        "placed": round_.placed,
        "conflicts": round_.conflicts,
        "utility": round_.utility,
        "bound": round_.bound,
        "ratio_bp": round_.ratio_bp,
        "price_steps": round_.price_steps,
        "moves_done": round_.moves_done,
        "seed": round_.seed,
        "unplaced_reasons": round_.unplaced_reasons,
        "ms": {"read": round_.ms_read, "core": round_.ms_core, "write": round_.ms_write},
        "snapshot_sha256": round_.snapshot_sha256,
        "result_sha256": round_.result_sha256,
    }


class RoundsView(APIView):
    """What the matcher did."""

    scopes = {"GET": "jobs:read"}
    roles = {"GET": (Role.OPERATOR,)}

    @extend_schema(tags=["rounds"], operation_id="match_rounds_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Rounds, newest first."""
        rounds = MatchRound.objects.select_related("reference").defer("snapshot", "result")
        return paged(request, rounds, round_as_json, now=utc_now())


class RoundView(APIView):
    """One round."""

    scopes = {"GET": "jobs:read"}
    roles = {"GET": (Role.OPERATOR,)}

    @extend_schema(tags=["rounds"], responses={200: dict})
    def get(self, request: Request, round: str) -> Response:
        """Its figures."""
        return Response(round_as_json(_round(round)))


class ReplayView(APIView):
    """Decide a round again."""

    scopes = {"POST": "jobs:write"}
    roles = {"POST": (Role.OPERATOR,)}

    @extend_schema(tags=["rounds"], request=None, responses={200: dict})
    def post(self, request: Request, round: str) -> Response:
        """Whether the stored snapshot gives the stored plan again, byte for byte."""
        row = _round(round)
        try:
            same = replay(row)
        except LookupError as error:
            raise NotFound(str(error), hint="snapshots are kept for 30 days") from error
        return Response({"object": "replay", "round": row.public_id, "same": same})


def _round(public_id: str) -> MatchRound:
    row = MatchRound.objects.select_related("reference").filter(public_id=public_id).first()
    if row is None:
        raise NotFound(f"there is no match round {public_id}")
    return row


class AgentsView(APIView):
    """The agents of the caller's sites."""

    scopes = {"GET": "offers:read"}
    roles = {"GET": (Role.PROVIDER, Role.OPERATOR)}

    @extend_schema(tags=["agents"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Agents with what they found and when they were last seen."""
        now = utc_now()
        agents = Agent.objects.of_providers(organizations_of(request))
        return paged(
            request, agents, lambda agent: agent_as_json(agent, agent.last_seen_at <= silent_since(now)), now=now
        )


def agent_as_json(agent: Agent, silent: bool) -> dict[str, Any]:
    """One agent."""
    return {
        "object": "agent",
        "id": agent.public_id,
        "name": agent.name,
        "site": {"id": agent.site.public_id, "name": agent.site.name},
        "engine": agent.engine,
        "version": agent.agent_version,
        "platform": agent.platform,
        "devices": agent.devices,
        "units": agent.units,
        "clock_skew_s": agent.clock_skew_ms / 1000,
        "last_seen_at": rfc3339(agent.last_seen_at),
        "silent": silent,
    }
