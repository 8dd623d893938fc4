"""Spending caps over HTTP."""

from datetime import datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.models import ApiKey
from accounts.tenancy import current_organization, organizations_of
from marketplace.common.clock import utc_now
from marketplace.common.errors import IllegalState
from marketplace.common.etag import require_match, with_etag
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.ledger import budgets
from marketplace.ledger.models import Budget
from marketplace.ledger.models.budgets import MONTH, PERIODS

SCOPES = {"GET": "wallet:read", "POST": "wallet:write"}


class LimitInput(serializers.Serializer[dict[str, Any]]):
    """The most that may be promised and spent, in minor units of the organization's currency."""

    limit_minor = serializers.IntegerField(min_value=0)


class BudgetInput(LimitInput):
    """What is capped: the organization, or one of its keys; by month or for ever."""

    api_key = serializers.CharField(max_length=40, allow_blank=True, default="")
    period = serializers.ChoiceField(choices=PERIODS, default=MONTH)


def budget_as_json(budget: Budget, now: datetime) -> dict[str, Any]:
    """The cap with its present period."""
    period = budgets.period_of(budget=budget, now=now)
    return {
        "object": "budget",
        "id": budget.public_id,
        "api_key": budget.api_key.public_id if budget.api_key else None,
        "standing_order": budget.order or None,
        "period": budget.period,
        "currency": budget.asset,
        "livemode": budget.livemode,
        "limit_minor": budget.limit_minor,
        "held_minor": period.held,
        "spent_minor": period.spent,
        "left_minor": period.left,
    }


class BudgetsView(APIView):
    """List and set spending caps."""

    scopes = SCOPES

    @extend_schema(tags=["budgets"], operation_id="budgets_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Budgets with what is held and spent of them in this period."""
        now = utc_now()
        mine = Budget.objects.of(organizations_of(request)).select_related("api_key")
        return paged(request, mine, lambda each: budget_as_json(each, now), now=now)

    @extend_schema(tags=["budgets"], request=BudgetInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent()
    def post(self, request: Request) -> Response:
        """Cap what the organization, or one of its keys, may promise and spend in a month or for ever."""
        ask, mine, now = parse(BudgetInput, request.data), current_organization(request), utc_now()
        key = ApiKey.objects.of(mine).by_public_id(ask["api_key"]) if ask["api_key"] else None
        budget = budgets.set_budget(
            organization=mine, api_key=key, asset=mine.currency, livemode=settings.LIVEMODE,
            limit_minor=ask["limit_minor"], period=ask["period"], now=now,
        )  # fmt: skip
        return with_etag(Response(budget_as_json(budget, now), status=201), budget.version)


class BudgetView(APIView):
    """One spending cap."""

    scopes = {"GET": "wallet:read", "PATCH": "wallet:write", "DELETE": "wallet:write"}

    @extend_schema(tags=["budgets"], responses={200: dict})
    def get(self, request: Request, budget: str) -> Response:
        """The budget, with its ETag."""
        row = _budget(request, budget)
        return with_etag(Response(budget_as_json(row, utc_now())), row.version)

    @extend_schema(tags=["budgets"], request=LimitInput, responses={200: dict}, parameters=[DRY_RUN])
    @rehearsable
    def patch(self, request: Request, budget: str) -> Response:
        """Another limit; not below what is promised and spent already. Needs If-Match."""
        row, now = _budget(request, budget), utc_now()
        require_match(request, row.version)
        limit = parse(LimitInput, request.data)["limit_minor"]
        row = budgets.change_limit(budget=row, limit_minor=limit, version=row.version, now=now)
        return with_etag(Response(budget_as_json(row, now)), row.version)

    @extend_schema(tags=["budgets"], request=None, responses={204: None})
    def delete(self, request: Request, budget: str) -> Response:
        """End the cap. Needs If-Match. That of a standing order ends with the order."""
        row = _budget(request, budget)
        require_match(request, row.version)
        if row.order:
            raise IllegalState(f"standing order {row.order} needs its cap", hint="change its limit, or end the order")
        budgets.end_budget(budget=row, now=utc_now())
        return Response(status=204)


def _budget(request: Request, public_id: str) -> Budget:
    return Budget.objects.of(organizations_of(request)).select_related("api_key").by_public_id(public_id)
