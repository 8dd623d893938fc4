"""Sign-up, sign-in and the operators' second factor, through the pages' own paths."""

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client

from accounts.models import Membership, Organization, Role, User
from accounts.services import sign_up_organization
from tests.accounts.conftest import NOON

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def test_whoever_signs_up_gets_an_organization_and_buys_for_it(client: Client):
    answer = client.post("/accounts/signup/", {"email": "Ada@example.test", "password1": PASSWORD})

    assert answer.status_code == 302
    user = User.objects.get(email="ada@example.test")
    assert list(user.memberships.values_list("role", "organization__name")) == [("buyer", "ada")]


def test_a_sign_up_that_cannot_get_its_organization_leaves_no_person(client: Client, monkeypatch):
    def refuse(**_facts):
        raise RuntimeError("no organization")

    monkeypatch.setattr("accounts.adapter.sign_up_organization", refuse)

    with pytest.raises(RuntimeError):
        client.post("/accounts/signup/", {"email": "ada@example.test", "password1": PASSWORD})

    assert (User.objects.count(), Organization.objects.count(), Membership.objects.count()) == (0, 0, 0)


def test_a_signed_up_person_signs_in_by_address_and_password(client: Client):
    user = User.objects.create_user("ada@example.test", PASSWORD)
    sign_up_organization(user=user, now=NOON)

    wrong = client.post("/accounts/login/", {"login": "ada@example.test", "password": "wrong"})
    right = client.post("/accounts/login/", {"login": "ADA@example.test", "password": PASSWORD})

    assert (wrong.status_code, right.status_code) == (200, 302)
    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_sixth_wrong_password_in_a_minute_is_not_even_looked_at(client: Client):
    User.objects.create_user("ada@example.test", PASSWORD)
    for _ in range(5):
        client.post("/accounts/login/", {"login": "ada@example.test", "password": "wrong"})

    client.post("/accounts/login/", {"login": "ada@example.test", "password": PASSWORD})

    assert "_auth_user_id" not in client.session


def test_the_language_of_the_account_wins_over_the_browser(client: Client, buyer):
    user = buyer[1]
    user.language = "zh-hans"
    user.save(update_fields=["language"])
    client.force_login(user)

    answer = client.get("/api/v1/nowhere", HTTP_ACCEPT_LANGUAGE="en")

    assert answer["Content-Language"] == "zh-hans"


@pytest.fixture
def operator(make_member) -> User:
    user: User = make_member("Operator", Role.OPERATOR)[1]
    return user


def test_an_operator_without_a_second_factor_is_sent_to_set_one_up(client: Client, operator, settings):
    settings.REQUIRE_OPERATOR_MFA = True
    client.force_login(operator)

    answer = client.get("/admin/")

    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/2fa/?next=%2Fadmin%2F"


def test_an_operator_with_a_second_factor_enters(client: Client, operator, settings):
    settings.REQUIRE_OPERATOR_MFA = True
    TOTP.activate(operator, generate_totp_secret())
    client.force_login(operator)

    assert client.get("/admin/").status_code == 200


def test_where_the_market_waives_it_the_operator_enters_and_is_told(client: Client, operator, settings):
    settings.REQUIRE_OPERATOR_MFA = False
    client.force_login(operator)

    first, second = client.get("/admin/"), client.get("/admin/")

    assert (first.status_code, second.status_code) == (200, 200)
    assert b"without a second factor" in first.content
    assert b"without a second factor" not in second.content


def test_the_password_alone_does_not_sign_in_an_account_with_a_second_factor(client: Client):
    user = User.objects.create_user("op@example.test", PASSWORD)
    TOTP.activate(user, generate_totp_secret())

    answer = client.post("/accounts/login/", {"login": "op@example.test", "password": PASSWORD})

    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert "_auth_user_id" not in client.session


def test_the_admin_has_no_sign_in_of_its_own(client: Client, buyer):
    stranger = client.get("/admin/login/?next=/admin/")
    client.force_login(buyer[1])
    member = client.get("/admin/login/")

    assert stranger["Location"].startswith("/accounts/login/")
    assert member.status_code == 403
