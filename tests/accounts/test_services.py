"""Organizations, members and keys come to be and end."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.keys import parse_key
from accounts.models import ApiKey, Membership, Organization, Role, User
from accounts.services import (
    add_member,
    create_organization,
    issue_key,
    revoke_key,
    sign_up_organization,
    touch_key,
)
from marketplace.common.errors import ValidationFailed
from tests.accounts.conftest import NOON

pytestmark = pytest.mark.django_db


def test_signing_up_makes_an_organization_that_buys():
    user = User.objects.create_user("Ada@Example.TEST", "a long password")

    organization = sign_up_organization(user=user, now=NOON)

    assert user.email == "ada@example.test"
    assert (organization.name, organization.sample) == ("ada", False)
    assert Membership.objects.of(organization).of_user(user).roles() == {Role.BUYER}
    assert not user.is_staff


def test_one_address_in_two_spellings_is_one_person():
    User.objects.create_user("ada@example.test", "a long password")

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="ADA@example.test")


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [({"name": "  "}, "/name"), ({"country": "china"}, "/country"), ({"currency": "$"}, "/currency")],
)
def test_a_bad_field_of_an_organization_is_named_and_nothing_is_made(facts, pointer):
    with pytest.raises(ValidationFailed) as refusal:
        create_organization(**({"name": "Lab", "now": NOON} | facts))

    assert [problem.pointer for problem in refusal.value.problems] == [pointer]
    assert not Organization.objects.exists()


def test_giving_a_role_twice_gives_it_once_and_an_unknown_one_is_refused(buyer):
    organization, user = buyer

    add_member(organization=organization, user=user, role=Role.BUYER, now=NOON)
    with pytest.raises(ValidationFailed):
        add_member(organization=organization, user=user, role="emperor", now=NOON)

    assert Membership.objects.of(organization).count() == 1


def test_an_operator_may_do_everything_in_the_admin_an_auditor_may_look_a_buyer_may_not_enter(make_member):
    _, operator = make_member("Operator", Role.OPERATOR)
    _, auditor = make_member("Auditor", Role.AUDITOR)
    _, buyer = make_member("Buyer", Role.BUYER)

    rights = [
        (user.is_staff, user.has_perm("accounts.view_apikey"), user.has_perm("accounts.change_apikey"))
        for user in (operator, auditor, buyer)
    ]

    assert rights == [(True, True, True), (True, True, False), (False, False, False)]


def test_a_key_is_shown_once_and_its_secret_is_nowhere_in_the_database(buyer):
    organization, user = buyer

    key, text = issue_key(organization=organization, name="ci", scopes=["jobs:write"], now=NOON, created_by=user)

    secret = parse_key(text).secret
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM accounts_apikey k WHERE k.id = %s", [key.pk])
        assert secret not in cursor.fetchone()[0]
    assert parse_key(text).public_id == key.public_id


@pytest.mark.parametrize(
    ("facts", "pointer", "hint"),
    [
        ({"scopes": []}, "/scopes", "offers:read"),
        ({"scopes": ["offers:read", "jobs:wirte"]}, "/scopes/1", "did you mean jobs:write?"),
        ({"scopes": ["agent"]}, "/site", "give the site's id"),
        ({"expires_at": NOON}, "/expires_at", ""),
        ({"name": ""}, "/name", ""),
        ({"name": "x" * 81}, "/name", ""),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_by_field(buyer, facts, pointer, hint):
    organization, _ = buyer

    with pytest.raises(ValidationFailed) as refusal:
        issue_key(**({"organization": organization, "name": "ci", "scopes": ["jobs:read"], "now": NOON} | facts))

    assert [(problem.pointer, problem.hint) for problem in refusal.value.problems] == [(pointer, hint)]
    assert not ApiKey.objects.exists()


def test_the_database_itself_refuses_a_key_without_scopes_and_an_agent_key_without_a_site(buyer):
    facts = {"organization": buyer[0], "name": "raw", "secret_sha256": "0" * 64, "created_at": NOON}

    for scopes in ([], ["agent"]):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiKey.objects.create(scopes=scopes, **facts)


def test_revoking_twice_keeps_the_first_time(buyer):
    key, _ = issue_key(organization=buyer[0], name="ci", scopes=["jobs:read"], now=NOON)

    revoke_key(key=key, now=NOON)
    revoke_key(key=key, now=NOON + timedelta(days=1))

    assert key.revoked_at == NOON


def test_use_is_written_at_most_once_a_minute(buyer):
    key, _ = issue_key(organization=buyer[0], name="ci", scopes=["jobs:read"], now=NOON)

    touch_key(key=key, now=NOON)
    key.refresh_from_db()
    with CaptureQueriesContext(connection) as queries:
        touch_key(key=key, now=NOON + timedelta(seconds=59))
    touch_key(key=key, now=NOON + timedelta(seconds=61))
    key.refresh_from_db()

    assert len(queries) == 0
    assert key.last_used_at == NOON + timedelta(seconds=61)
