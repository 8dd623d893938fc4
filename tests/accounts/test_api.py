"""Who am I, my organizations, and keys over HTTP."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from accounts.models import ApiKey, Role
from accounts.services import add_member, issue_key, revoke_key
from marketplace.common.clock import utc_now
from tests.accounts.conftest import NOON

pytestmark = pytest.mark.django_db


def test_a_key_says_who_it_acts_for(buyer, make_key, settings):
    organization, user = buyer
    key, client = make_key(organization, "org:read", created_by=user)

    answer = client.get("/api/v1/me")

    assert answer.status_code == 200
    assert answer.json() == {
        "object": "me",
        "email": user.email,
        "organization": {"id": organization.public_id, "name": "Buyer A"},
        "roles": ["buyer"],
        "key": {"id": key.public_id, "scopes": ["org:read"]},
        "stream_url": settings.STREAM_URL,
    }


def test_a_signed_in_person_is_recognised_without_a_key(buyer):
    client = APIClient()
    client.force_login(buyer[1])

    me = client.get("/api/v1/me").json()

    assert (me["email"], me["key"]) == (buyer[1].email, None)


def test_a_stranger_is_told_to_sign_in():
    answer = APIClient().get("/api/v1/me", HTTP_REQUEST_ID="my-own-id")

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer["Request-Id"] == "my-own-id"
    problem = answer.json()
    assert (problem["code"], problem["request_id"]) == ("authentication_required", "my-own-id")
    assert (problem["type"], problem["instance"]) == ("/docs/errors#authentication_required", "/api/v1/me")


def test_a_mistyped_key_is_named_as_such():
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Bearer jm_test_" + "a" * 22 + "_" + "b" * 38)

    answer = client.get("/api/v1/me")

    assert answer.status_code == 401
    assert "last 6 characters" in answer.json()["detail"]


def test_a_right_key_with_the_secret_of_another_is_not_known(buyer):
    first, _ = issue_key(organization=buyer[0], name="one", scopes=["org:read"], now=NOON)
    second, text = issue_key(organization=buyer[0], name="two", scopes=["org:read"], now=NOON)
    ApiKey.objects.filter(pk=second.pk).update(secret_sha256=first.secret_sha256)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")

    assert client.get("/api/v1/me").json()["code"] == "authentication_required"


def test_a_revoked_key_is_refused_from_the_next_request_on(buyer, make_key):
    key, client = make_key(buyer[0], "org:read")
    assert client.get("/api/v1/me").status_code == 200

    revoke_key(key=key, now=utc_now())

    answer = client.get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_revoked")


def test_an_expired_key_and_the_key_of_a_closed_account_are_refused(buyer, make_key):
    organization, user = buyer
    _, late = make_key(organization, "org:read", expires_at=NOON + timedelta(seconds=1))
    _, orphan = make_key(organization, "org:read", created_by=user)
    user.is_active = False
    user.save(update_fields=["is_active"])

    codes = [client.get("/api/v1/me").json()["code"] for client in (late, orphan)]

    assert codes == ["key_revoked", "key_revoked"]


def test_a_key_without_the_scope_is_refused_and_write_includes_read(buyer, make_key):
    _, jobs = make_key(buyer[0], "jobs:write")
    _, writer = make_key(buyer[0], "org:write")

    refusal = jobs.get("/api/v1/me")

    assert (refusal.status_code, refusal.json()["code"]) == (403, "scope_missing")
    assert refusal.json()["facts"] == {"wanted": "org:read", "have": ["jobs:write"]}
    assert writer.get("/api/v1/me").status_code == 200


def test_a_session_must_send_the_csrf_token_with_a_write(buyer):
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(buyer[1])

    answer = client.post("/api/v1/api_keys", {"name": "ci", "scopes": ["jobs:read"]}, format="json")

    assert answer.status_code == 401
    assert "CSRF" in answer.json()["detail"]
    assert not ApiKey.objects.exists()


def test_a_key_made_over_http_works_and_its_secret_is_shown_only_then(buyer):
    client = APIClient()
    client.force_login(buyer[1])

    made = client.post("/api/v1/api_keys", {"name": "ci", "scopes": ["org:read"]}, format="json")

    assert made.status_code == 201
    user_of_key = APIClient()
    user_of_key.credentials(HTTP_AUTHORIZATION=f"Bearer {made.json()['secret']}")
    assert user_of_key.get("/api/v1/me").json()["key"]["id"] == made.json()["id"]
    assert "secret" not in client.get(f"/api/v1/api_keys/{made.json()['id']}").json()


def test_a_key_cannot_give_scopes_it_does_not_have(buyer, make_key):
    _, client = make_key(buyer[0], "org:write", created_by=buyer[1])

    refusal = client.post("/api/v1/api_keys", {"name": "more", "scopes": ["jobs:write"]}, format="json")
    granted = client.post("/api/v1/api_keys", {"name": "same", "scopes": ["org:read"]}, format="json")

    assert (refusal.status_code, refusal.json()["code"]) == (403, "scope_missing")
    assert granted.status_code == 201
    assert ApiKey.objects.count() == 2


def test_fields_that_a_caller_may_not_set_are_refused_by_name(buyer, other):
    client = APIClient()
    client.force_login(buyer[1])
    body = {"name": "ci", "scopes": ["org:read"], "organization": other[0].public_id, "scope": "x"}

    answer = client.post("/api/v1/api_keys", body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert [(error["pointer"], error.get("hint", "")) for error in answer.json()["errors"]] == [
        ("/organization", ""),
        ("/scope", "did you mean scopes?"),
    ]
    assert not ApiKey.objects.exists()


def test_at_most_ten_keys_a_day(buyer):
    client = APIClient()
    client.force_login(buyer[1])

    statuses = [
        client.post("/api/v1/api_keys", {"name": f"k{n}", "scopes": ["org:read"]}, format="json").status_code
        for n in range(11)
    ]

    assert statuses == [201] * 10 + [429]
    assert ApiKey.objects.count() == 10


def test_rows_of_another_organization_never_appear_and_answer_as_if_missing(buyer, other, make_key):
    mine, client = make_key(buyer[0], "org:write", created_by=buyer[1])
    theirs, _ = make_key(other[0], "org:write", created_by=other[1])

    listed = [
        client.get("/api/v1/api_keys").json()["data"],
        client.get("/api/v1/organizations").json()["data"],
        client.get("/api/v1/memberships").json()["data"],
    ]
    foreign = client.get(f"/api/v1/api_keys/{theirs.public_id}")
    missing = client.get(f"/api/v1/api_keys/key_{'0' * 22}")
    attack = client.post(f"/api/v1/api_keys/{theirs.public_id}/revoke")

    assert [[row.get("id", row.get("email")) for row in rows] for rows in listed] == [
        [mine.public_id],
        [buyer[0].public_id],
        [buyer[1].email],
    ]
    assert (foreign.status_code, foreign.json()["code"]) == (missing.status_code, missing.json()["code"])
    assert (foreign.status_code, attack.status_code) == (404, 404)
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


@pytest.mark.parametrize("path", ["api_keys/%00", "api_keys?starting_after=%00", "api_keys/" + "x" * 5000])
def test_an_id_that_no_column_takes_is_the_callers_mistake(buyer, make_key, path):
    _, client = make_key(buyer[0], "org:read")

    assert client.get(f"/api/v1/{path}").status_code in {400, 404}


def test_a_person_of_two_organizations_acts_for_the_chosen_one_until_they_leave_it(buyer, other):
    organization, user = other[0], buyer[1]
    joined = add_member(organization=organization, user=user, role=Role.PROVIDER, now=NOON)
    client = APIClient()
    client.force_login(user)
    before = client.get("/api/v1/me").json()["organization"]["name"]
    session = client.session
    session["organization"] = organization.public_id
    session.save()

    chosen = client.get("/api/v1/me").json()
    joined.delete()
    after = client.get("/api/v1/me").json()["organization"]["name"]

    assert (before, chosen["organization"]["name"], after) == ("Buyer A", "Buyer B", "Buyer A")
    assert chosen["roles"] == ["provider"]


def test_a_person_without_an_organization_is_told_so(make_member):
    _, user = make_member("Nobody")
    client = APIClient()
    client.force_login(user)

    answer = client.get("/api/v1/me")

    assert (answer.status_code, answer.json()["code"]) == (403, "role_missing")


def test_every_answer_names_the_limit_and_what_is_left(buyer, make_key, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"read": 2}
    _, client = make_key(buyer[0], "org:read")

    answers = [client.get("/api/v1/me") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"read";q=2;w=60'
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=1", "r=0", "r=0"]
    assert answers[2].json()["code"] == "rate_limited"
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
