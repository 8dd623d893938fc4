"""Default deny: what a view does not allow is refused."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from accounts.models import Role
from accounts.permissions import scopes_of
from accounts.services import issue_key
from tests.accounts.conftest import NOON

pytestmark = pytest.mark.django_db


class Answers(APIView):
    def get(self, request: Any) -> Response:
        return Response({"ok": True})


class OpenView(Answers):
    public = True


class ForgetfulView(Answers):
    """Neither scopes nor public."""


class ProviderView(Answers):
    scopes = {"GET": "offers:read"}
    roles = {"GET": (Role.PROVIDER, Role.OPERATOR)}


class OperatorView(Answers):
    scopes = {"GET": "offers:read"}
    roles = {Role.OPERATOR}


class AgentView(Answers):
    scopes = {"GET": "agent"}


def call(view: type[APIView], *, user: Any = None, key: str = "", method: str = "get") -> Response:
    headers = {"HTTP_AUTHORIZATION": f"Bearer {key}"} if key else {}
    request = getattr(APIRequestFactory(), method)("/", **headers)
    if user is not None:
        request.session = {}
        force_authenticate(request, user=user)
    answer: Response = view.as_view()(request)
    return answer


def test_a_stranger_enters_public_views_only():
    assert call(OpenView).status_code == 200
    assert call(ProviderView).status_code == 401


def test_a_view_that_forgot_its_scopes_lets_nobody_in(buyer):
    stranger, member = call(ForgetfulView), call(ForgetfulView, user=buyer[1])

    assert (stranger.status_code, member.status_code) == (401, 500)
    assert member.data["code"] == "internal_error"
    with pytest.raises(ImproperlyConfigured, match="GET"):
        scopes_of(ForgetfulView())


def test_a_role_is_asked_of_people_and_of_the_maker_of_a_key(make_member):
    organization, buyer = make_member("Mixed", Role.BUYER)
    provider = make_member("Provider", Role.PROVIDER)[1]
    keys = {
        maker: issue_key(organization=organization, name="k", scopes=["offers:read"], now=NOON, created_by=maker)[1]
        for maker in (buyer, provider)
    }

    assert call(ProviderView, user=buyer).data["code"] == "role_missing"
    assert call(ProviderView, user=provider).status_code == 200
    # A provider elsewhere has no role in the organization of this key.
    assert call(ProviderView, key=keys[provider]).data["code"] == "role_missing"
    assert call(ProviderView, key=keys[buyer]).data["facts"] == {"wanted": ["operator", "provider"], "have": ["buyer"]}


def test_roles_may_be_named_for_all_methods_at_once(make_member):
    operator = make_member("Operator", Role.OPERATOR)[1]
    provider = make_member("Provider", Role.PROVIDER)[1]

    assert [call(OperatorView, user=user).status_code for user in (operator, provider)] == [200, 403]


def test_only_a_key_made_for_it_speaks_as_an_agent(make_member):
    organization, provider = make_member("Provider", Role.PROVIDER)
    key = issue_key(organization=organization, name="a", scopes=["agent"], site="sit_1", now=NOON)[1]

    assert call(AgentView, user=provider).data["code"] == "scope_missing"
    assert call(AgentView, key=key).status_code == 200


def test_a_method_the_view_lacks_is_405_and_not_a_permission_matter(make_member):
    _, provider = make_member("Provider", Role.PROVIDER)

    answer = call(ProviderView, user=provider, method="put")

    assert (answer.status_code, answer.data["code"], answer["Allow"]) == (
        405,
        "method_not_allowed",
        "GET, HEAD, OPTIONS",
    )
