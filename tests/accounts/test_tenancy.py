"""For whom a request acts, outside REST framework too."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from accounts.errors import AuthError, KeyRevoked, RoleMissing, ScopeMissing
from accounts.models import ApiKey, Role
from accounts.services import add_member, issue_key, revoke_key
from accounts.streaming import readers_of
from accounts.tenancy import actor_of, choose_organization, current_organization, organizations_of, require_role
from marketplace.common.errors import NotFound
from tests.accounts.conftest import NOON

pytestmark = pytest.mark.django_db


def asking(user: Any = None, key: str = "") -> Any:
    request = RequestFactory().get("/", **({"HTTP_AUTHORIZATION": f"Bearer {key}"} if key else {}))
    request.user = user or AnonymousUser()
    request.session = {}
    return request


def test_a_stranger_acts_for_nobody():
    request = asking()

    assert organizations_of(request) == []
    with pytest.raises(AuthError):
        current_organization(request)


def test_a_person_may_choose_among_their_own_organizations_only(buyer, other):
    organization, user = buyer
    joined = add_member(organization=other[0], user=user, role=Role.PROVIDER, now=NOON).organization
    request = asking(user)

    choose_organization(request, joined.public_id)

    assert current_organization(request) == joined
    assert organizations_of(request) == [organization, joined]
    assert actor_of(request) == f"person:{user.pk}@{joined.public_id}"
    with pytest.raises(NotFound):
        choose_organization(asking(other[1]), organization.public_id)


def test_a_role_in_one_organization_is_none_in_another(buyer, other):
    add_member(organization=other[0], user=buyer[1], role=Role.PROVIDER, now=NOON)
    request = asking(buyer[1])

    with pytest.raises(RoleMissing) as refusal:
        require_role(request, Role.PROVIDER)
    choose_organization(request, other[0].public_id)

    assert refusal.value.facts == {"wanted": ["provider"], "have": ["buyer"]}
    assert require_role(request, Role.PROVIDER, Role.OPERATOR) == other[0]


def test_rows_of_several_organizations_are_asked_for_together(buyer, other):
    keys = [
        issue_key(organization=organization, name="k", scopes=["jobs:read"], now=NOON)[0]
        for organization in (buyer[0], other[0])
    ]

    assert list(ApiKey.objects.of(buyer[0])) == keys[:1]
    assert set(ApiKey.objects.of_any([buyer[0], other[0]])) == set(keys)
    assert list(ApiKey.objects.of_any([])) == []
    with pytest.raises(NotFound):
        ApiKey.objects.of(buyer[0]).by_public_id(keys[1].public_id)


def test_a_stream_is_opened_by_a_key_with_the_scope_or_by_a_session(buyer):
    organization, user = buyer
    key, text = issue_key(organization=organization, name="k", scopes=["jobs:write"], now=NOON)

    assert readers_of(asking(key=text), "jobs:read") == [organization]
    assert readers_of(asking(user), "jobs:read") == [organization]
    with pytest.raises(ScopeMissing):
        readers_of(asking(key=text), "offers:read")
    with pytest.raises(AuthError):
        readers_of(asking(), "jobs:read")
    revoke_key(key=key, now=NOON)
    with pytest.raises(KeyRevoked):
        readers_of(asking(key=text), "jobs:read")
