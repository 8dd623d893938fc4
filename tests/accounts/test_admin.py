"""The operators' view of accounts."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Membership, Role, User
from accounts.services import add_member, issue_key
from tests.accounts.conftest import NOON

pytestmark = pytest.mark.django_db
PAGES = ("/admin/accounts/organization/", "/admin/accounts/user/", "/admin/accounts/apikey/")


@pytest.fixture
def enter(settings: Any, make_member: Any) -> Any:
    """A browser signed in with a role, in a market that waives the second factor."""
    settings.REQUIRE_OPERATOR_MFA = False

    def sign_in(role: Role) -> Client:
        client = Client()
        client.force_login(make_member(f"The {role}", role)[1])
        return client

    return sign_in


def members_form(organization, **row: str) -> dict[str, str]:
    """The organization's page as its form sends it, with one row of members filled in."""
    existing = "1" if "id" in row else "0"
    count = {"TOTAL_FORMS": "1", "INITIAL_FORMS": existing, "MIN_NUM_FORMS": "0", "MAX_NUM_FORMS": "1000"}
    fields = {"organization": str(organization.pk)} | row
    return (
        {"name": organization.name, "country": "", "currency": "USD", "weight": "1"}
        | {f"memberships-{name}": value for name, value in count.items()}
        | {f"memberships-0-{name}": value for name, value in fields.items()}
    )


def test_operators_and_auditors_see_every_page_and_others_none(enter, buyer):
    issue_key(organization=buyer[0], name="ci", scopes=["jobs:read"], now=NOON)

    browsers = {role: enter(role) for role in (Role.OPERATOR, Role.AUDITOR, Role.BUYER)}
    statuses = {role: [browser.get(page).status_code for page in PAGES] for role, browser in browsers.items()}

    assert statuses == {Role.OPERATOR: [200] * 3, Role.AUDITOR: [200] * 3, Role.BUYER: [302] * 3}


def test_an_operator_revokes_keys_and_an_auditor_cannot(enter, buyer):
    key, _ = issue_key(organization=buyer[0], name="ci", scopes=["jobs:read"], now=NOON)
    order = {"action": "revoke", "_selected_action": [str(key.pk)]}

    enter(Role.AUDITOR).post(PAGES[2], order)
    key.refresh_from_db()
    untouched = key.revoked_at
    enter(Role.OPERATOR).post(PAGES[2], order)
    key.refresh_from_db()

    assert untouched is None
    assert key.revoked_at is not None


def test_who_is_made_an_operator_may_enter_and_who_is_no_longer_one_may_not(enter, buyer):
    organization, user = buyer
    operator = enter(Role.OPERATOR)
    page = f"{PAGES[0]}{organization.pk}/change/"
    Membership.objects.all().of_user(user).delete()

    operator.post(page, members_form(organization, user=str(user.pk), role="operator"))
    made = User.objects.get(pk=user.pk).is_staff
    member = Membership.objects.get(user=user)
    operator.post(page, members_form(organization, id=str(member.pk), DELETE="on"))

    assert (made, User.objects.get(pk=user.pk).is_staff) == (True, False)
    assert not Membership.objects.filter(user=user).exists()


def test_leaving_one_of_two_operator_roles_keeps_the_admin_open(enter, buyer, other):
    user = buyer[1]
    for organization in (buyer[0], other[0]):
        add_member(organization=organization, user=user, role=Role.OPERATOR, now=NOON)
    member = Membership.objects.get(user=user, organization=other[0])

    enter(Role.OPERATOR).post(
        f"{PAGES[0]}{other[0].pk}/change/",
        members_form(other[0], id=str(member.pk), DELETE="on"),
    )

    assert not Membership.objects.filter(pk=member.pk).exists()
    assert User.objects.get(pk=user.pk).is_staff


def test_the_secrets_of_second_factors_are_no_page(enter):
    operator = enter(Role.OPERATOR)

    assert b"mfa" not in operator.get("/admin/").content
    assert operator.get("/admin/mfa/authenticator/").status_code == 404


def test_an_operator_gives_an_organization_a_weight_of_at_least_1_and_an_auditor_cannot(enter, buyer):
    organization, _ = buyer
    page = f"{PAGES[0]}{organization.pk}/change/"
    fields = {"name": organization.name, "country": "", "currency": "USD"} | {
        f"memberships-{name}": count
        for name, count in {
            "TOTAL_FORMS": "0",
            "INITIAL_FORMS": "0",
            "MIN_NUM_FORMS": "0",
            "MAX_NUM_FORMS": "9",
        }.items()
    }

    def weight_after(browser, weight):
        browser.post(page, fields | {"weight": weight})
        organization.refresh_from_db()
        return organization.weight

    operator = enter(Role.OPERATOR)
    assert weight_after(operator, "3") == 3
    assert weight_after(operator, "0") == 3
    assert weight_after(operator, "1001") == 3
    assert weight_after(enter(Role.AUDITOR), "5") == 3


@pytest.mark.parametrize("page", ["/admin/", "/admin/money/", "/admin/evidence/"])
def test_every_page_of_the_desk_asks_operators_for_a_second_factor(enter, settings, page):
    browser = enter(Role.OPERATOR)
    assert browser.get(page).status_code == 200
    settings.REQUIRE_OPERATOR_MFA = True

    answer = browser.get(page)

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/2fa/")
