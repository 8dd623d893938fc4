"""Who am I, my organizations and their members, and the keys of the current organization."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.errors import ScopeMissing
from accounts.models import ApiKey, Membership, Organization
from accounts.scopes import allows
from accounts.services import issue_key, revoke_key
from accounts.tenancy import current_organization, key_of, organizations_of, roles_of
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.limits import DAY, spend
from marketplace.common.paging import paged
from marketplace.common.parsing import parse

KEYS_PER_DAY = 10


class KeyInput(serializers.Serializer[dict[str, Any]]):
    """A key to make."""

    name = serializers.CharField(max_length=80)
    scopes = serializers.ListField(child=serializers.CharField(max_length=24), min_length=1, max_length=30)
    expires_at = serializers.DateTimeField(required=False)


def organization_as_json(organization: Organization) -> dict[str, Any]:
    return {
        "object": "organization",
        "id": organization.public_id,
        "name": organization.name,
        "country": organization.country,
        "currency": organization.currency,
        "sample": organization.sample,
        "created_at": rfc3339(organization.created_at),
    }


def member_as_json(member: Membership) -> dict[str, Any]:
    return {
        "object": "membership",
        "organization": member.organization.public_id,
        "email": member.user.email,
        "name": member.user.name,
        "role": member.role,
        "created_at": rfc3339(member.created_at),
    }


def key_as_json(key: ApiKey) -> dict[str, Any]:
    return {
        "object": "api_key",
        "id": key.public_id,
        "name": key.name,
        "live": key.live,
        "scopes": key.scopes,
        "site": key.site or None,
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at),
        "last_used_at": rfc3339(key.last_used_at),
        "revoked_at": rfc3339(key.revoked_at),
    }


@extend_schema(tags=["accounts"], responses={200: dict})
class MeView(APIView):
    """The caller: person, organization, roles, key, and where streams are served."""

    scopes = {"GET": "org:read"}

    def get(self, request: Request) -> Response:
        organization, key = current_organization(request), key_of(request)
        return Response(
            {
                "object": "me",
                "email": getattr(request.user, "email", "") or None,
                "organization": {"id": organization.public_id, "name": organization.name},
                "roles": sorted(roles_of(request)),
                "key": {"id": key.public_id, "scopes": key.scopes} if key else None,
                "stream_url": settings.STREAM_URL,
            }
        )


@extend_schema(tags=["accounts"], responses={200: dict})
class OrganizationsView(APIView):
    """The organizations the caller belongs to."""

    scopes = {"GET": "org:read"}

    def get(self, request: Request) -> Response:
        mine = Organization.objects.of_any(organizations_of(request))
        return paged(request, mine, organization_as_json, now=utc_now())


@extend_schema(tags=["accounts"], responses={200: dict})
class MembershipsView(APIView):
    """The members of the current organization with their roles."""

    scopes = {"GET": "org:read"}

    def get(self, request: Request) -> Response:
        members = Membership.objects.of(current_organization(request)).select_related("organization", "user")
        data = [member_as_json(member) for member in members]
        meta = {"count": len(data), "as_of": rfc3339(utc_now())}
        return Response({"object": "list", "data": data, "has_more": False, "meta": meta})


class KeysView(APIView):
    """The keys of the current organization."""

    scopes = {"GET": "org:read", "POST": "org:write"}

    @extend_schema(tags=["accounts"], operation_id="api_keys_list", responses={200: dict})
    def get(self, request: Request) -> Response:
        keys = ApiKey.objects.of(current_organization(request))
        return paged(request, keys.order_by("-created_at", "-pk"), key_as_json, now=utc_now())

    @extend_schema(tags=["accounts"], request=KeyInput, responses={201: dict})
    def post(self, request: Request) -> Response:
        """Make a key; `secret` is shown in this answer and never again. A key cannot give what it does not have."""
        ask = parse(KeyInput, request.data)
        organization = current_organization(request)
        _refuse_more_than_own(request, ask["scopes"])
        now = utc_now()
        spend("keys", organization.public_id, quota=KEYS_PER_DAY, now=now, window_s=DAY)
        maker = request.user if request.user.is_authenticated else None
        key, secret = issue_key(organization=organization, created_by=maker, now=now, **ask)
        return Response(key_as_json(key) | {"secret": secret}, status=201)


class KeyView(APIView):
    """One key of the current organization."""

    scopes = {"GET": "org:read"}

    @extend_schema(tags=["accounts"], responses={200: dict})
    def get(self, request: Request, public_id: str) -> Response:
        return Response(key_as_json(_key(request, public_id)))


class RevokeKeyView(APIView):
    """The end of a key."""

    scopes = {"POST": "org:write"}

    @extend_schema(tags=["accounts"], request=None, responses={200: dict})
    def post(self, request: Request, public_id: str) -> Response:
        """Refuse the key from the next request on; revoking twice is no error."""
        return Response(key_as_json(revoke_key(key=_key(request, public_id), now=utc_now())))


def _key(request: Request, public_id: str) -> ApiKey:
    return ApiKey.objects.of(current_organization(request)).by_public_id(public_id)


def _refuse_more_than_own(request: Request, scopes: list[str]) -> None:
    own = key_of(request)
    beyond = [] if own is None else [scope for scope in scopes if not allows(own.scopes, scope)]
    if beyond:
        raise ScopeMissing(f"this key cannot give the scope {beyond[0]}, which it lacks", wanted=beyond)
