"""Wallet, top-ups, refunds, payouts and the processors' webhooks over HTTP."""

from functools import partial
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import idempotent
from accounts.models import Role
from accounts.tenancy import actor_of, current_organization, organizations_of
from marketplace.common.clock import utc_now
from marketplace.common.errors import NotFound, TooLarge
from marketplace.common.paging import paged
from marketplace.common.parsing import parse
from marketplace.common.rehearsal import DRY_RUN, rehearsable
from marketplace.ledger import payments, topups, webhooks
from marketplace.ledger.errors import WebhookSignatureInvalid
from marketplace.ledger.gateways import NAMES
from marketplace.ledger.gateways.base import SignatureInvalid
from marketplace.ledger.hints import wake_outbox, wake_webhooks
from marketplace.ledger.models import Journal, Payment, Payout, Refund
from marketplace.ledger.querysets import PaymentQuerySet
from marketplace.ledger.wallets import wallet_of, wallets_of
from marketplace.ledger.walletview import (
    movement_as_json,
    payment_as_json,
    payout_as_json,
    refund_as_json,
    wallet_as_json,
)

SCOPES = {"GET": "wallet:read", "POST": "wallet:write"}
LARGEST_WEBHOOK = 256 * 1024


class MoneyInput(serializers.Serializer[dict[str, Any]]):
    """An amount of the organization's currency."""

    amount_minor = serializers.IntegerField(min_value=1)


class TopupInput(MoneyInput):
    """What to pay in, and whether the card is kept for automatic top-ups."""

    save_method = serializers.BooleanField(default=False)


class WalletView(APIView):
    """What the caller's organization can spend."""

    scopes = SCOPES

    @extend_schema(tags=["wallet"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """One wallet for each currency: available, held for what is promised, frozen by a dispute."""
        mine = current_organization(request)
        found = wallets_of(organization=mine) or [
            wallet_of(organization=mine, asset=mine.currency, livemode=settings.LIVEMODE)
        ]
        return Response({"object": "list", "data": [wallet_as_json(each) for each in found], "has_more": False})


class MovementsView(APIView):
    """What happened on the wallet."""

    scopes = SCOPES

    @extend_schema(tags=["wallet"], operation_id="movements_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """What each journal moved on the wallet of the organization's currency, the newest first."""
        mine = current_organization(request)
        rows = Journal.objects.of_wallet(mine, asset=mine.currency, livemode=settings.LIVEMODE)
        return paged(request, rows, partial(movement_as_json, currency=mine.currency), now=utc_now())


def topups_of(request: Request) -> PaymentQuerySet:
    """The payments of the caller's organizations."""
    return Payment.objects.of(organizations_of(request)).select_related("organization")


class TopupsView(APIView):
    """List and start top-ups."""

    scopes = SCOPES

    @extend_schema(tags=["wallet"], operation_id="topups_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Top-ups, newest first."""
        return paged(request, topups_of(request), payment_as_json, now=utc_now())

    @extend_schema(tags=["wallet"], request=TopupInput, responses={201: dict}, parameters=[DRY_RUN])
    def post(self, request: Request) -> Response:
        """Start a top-up; `url` is the processor's page on which it is paid, null while that is being prepared."""
        answer = self.start(request)
        if answer.status_code == 201 and topups.open_page(public_id=answer.data["id"], now=utc_now()):
            answer.data = payment_as_json(topups_of(request).by_public_id(answer.data["id"]))
        return answer

    @rehearsable
    @idempotent(required=True)
    def start(self, request: Request) -> Response:
        """The rows of a top-up, with its idempotency key."""
        ask = parse(TopupInput, request.data)
        payment = topups.begin(
            organization=current_organization(request), amount=ask["amount_minor"], save_method=ask["save_method"],
            now=utc_now(),
        )  # fmt: skip
        return Response(payment_as_json(payment), status=201)


class TopupView(APIView):
    """One top-up."""

    scopes = SCOPES

    @extend_schema(tags=["wallet"], responses={200: dict})
    def get(self, request: Request, topup: str) -> Response:
        """Where it stands; the wallet is credited once the processor says that it has succeeded."""
        return Response(payment_as_json(topups_of(request).by_public_id(topup)))


class RefundsView(APIView):
    """List refunds and ask for one."""

    scopes = SCOPES

    @extend_schema(tags=["wallet"], operation_id="refunds_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        """Refunds, newest first."""
        mine = Refund.objects.filter(payment__organization__in=organizations_of(request)).select_related("payment")
        return paged(request, mine, refund_as_json, now=utc_now())

    @extend_schema(tags=["wallet"], request=MoneyInput, responses={201: dict}, parameters=[DRY_RUN])
    @rehearsable
    @idempotent(required=True)
    def post(self, request: Request) -> Response:
        """Send money that is available back to the cards that paid it, the newest top-up first."""
        ask = parse(MoneyInput, request.data)
        mine = current_organization(request)
        made = payments.request_refund(
            organization=mine, asset=mine.currency, livemode=settings.LIVEMODE, amount=ask["amount_minor"],
            now=utc_now(), actor=actor_of(request),
        )  # fmt: skip
        wake_outbox()
        return Response({"object": "list", "data": [refund_as_json(each) for each in made], "has_more": False}, 201)


class PayoutsView(APIView):
    """Payouts of a provider."""

    scopes = SCOPES
    roles = {Role.PROVIDER}

    @extend_schema(tags=["wallet"], responses={200: dict})
    def get(self, request: Request) -> Response:
        """Payouts, newest first."""
        return paged(request, Payout.objects.of(organizations_of(request)), payout_as_json, now=utc_now())


class WebhookView(APIView):
    """What a processor tells by itself."""

    public = True
    authentication_classes = ()
    throttle_classes = ()

    @extend_schema(exclude=True)
    def post(self, request: Request, gateway: str) -> Response:
        """Keep a signed message; 400 for anything else, and nothing is kept."""
        if gateway not in NAMES:
            raise NotFound(f"no processor {gateway}")
        raw = request._request.read(LARGEST_WEBHOOK + 1)
        if len(raw) > LARGEST_WEBHOOK:
            raise TooLarge(f"a webhook is at most {LARGEST_WEBHOOK} bytes", max_bytes=LARGEST_WEBHOOK)
        try:
            webhooks.receive(gateway=gateway, raw=raw, headers=request.headers, now=utc_now())
        except (SignatureInvalid, LookupError) as error:
            raise WebhookSignatureInvalid("nobody trusted signed this message for us just now") from error
        wake_webhooks()
        return Response({"received": True})
