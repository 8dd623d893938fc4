"""One request, one effect, on PostgreSQL with real races."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts import idempotency
from accounts.idempotency import Answer, idempotent, once
from accounts.models import IdempotencyKey, Organization
from accounts.services import create_organization, issue_key
from accounts.tasks import prune_idempotency_keys
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError
from tests.accounts.conftest import NOON


class FoundView(APIView):
    """The effect of these tests: one more organization, by its name."""

    scopes = {"POST": "org:write"}

    @idempotent(required=True)
    def post(self, request: Any) -> Response:
        organization = create_organization(name=request.data["name"], now=NOON)
        if request.data.get("fail") == "raise":
            raise DomainError("no", wanted=1)
        status = 422 if request.data.get("fail") == "answer" else 201
        headers = {"Location": f"/organizations/{organization.public_id}", "X-Other": "1"}
        return Response({"id": organization.public_id, "at": NOON}, status=status, headers=headers)


class ChoiceView(FoundView):
    """The same, for a caller who may do without a key."""

    post = idempotent()(FoundView.post.__wrapped__)


@pytest.fixture
def post(transactional_db: None) -> Callable[..., Response]:
    """POST a body with an Idempotency-Key, by the key of one organization."""
    owner = create_organization(name="Owner", now=NOON)
    secrets = {who: issue_key(organization=owner, name=who, scopes=["org:write"], now=NOON)[1] for who in ("a", "b")}

    def send(
        body: Any, key: str | None = "k1", *, who: str = "a", path: str = "/found", view: Any = FoundView
    ) -> Response:
        headers = {"HTTP_AUTHORIZATION": f"Bearer {secrets[who]}"} | ({"HTTP_IDEMPOTENCY_KEY": key} if key else {})
        request = APIRequestFactory().post(path, body, format="json", **headers)
        answer: Response = view.as_view()(request)
        return answer

    return send


def founded() -> list[str]:
    return list(Organization.objects.exclude(name="Owner").values_list("name", flat=True))


def in_threads(count: int, work: Callable[[], Any]) -> list[Any]:
    """The results of `work` done by `count` threads that start at one moment, each with its own connection."""
    gate = threading.Barrier(count)

    def run() -> Any:
        gate.wait(10)
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return [future.result(30) for future in [pool.submit(run) for _ in range(count)]]


def test_a_retry_gets_the_first_answer_and_does_nothing(post):
    first, second = post({"name": "Lab"}), post({"name": "Lab"})

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data["id"] == second.data["id"]
    assert first.data["at"] == second.data["at"] == "2026-03-02T12:00:00Z"
    assert "Idempotent-Replayed" not in first
    assert (second["Idempotent-Replayed"], second["Location"]) == ("true", first["Location"])
    assert founded() == ["Lab"]


def test_the_order_of_names_in_the_body_is_no_difference(post):
    first, second = post({"name": "Lab", "note": 1}), post({"note": 1, "name": "Lab"})

    assert first.data["id"] == second.data["id"]


@pytest.mark.parametrize("change", [{"body": {"name": "Mill"}}, {"path": "/other"}])
def test_the_same_key_for_another_request_is_refused(post, change):
    post({"name": "Lab"})

    answer = post(change.get("body", {"name": "Lab"}), path=change.get("path", "/found"))

    assert (answer.status_code, answer.data["code"]) == (422, "idempotency_mismatch")
    assert founded() == ["Lab"]


def test_the_same_key_of_two_callers_is_two_keys(post):
    answers = [post({"name": "Lab"}, who=who) for who in ("a", "b")]

    assert answers[0].data["id"] != answers[1].data["id"]


def test_the_key_is_required_and_bounded(post):
    without, too_long = post({"name": "Lab"}, None), post({"name": "Lab"}, "k" * 256)

    assert (without.status_code, without.data["code"]) == (400, "idempotency_key_required")
    assert (too_long.status_code, too_long.data["code"]) == (400, "invalid_parameter")
    assert founded() == []


@pytest.mark.parametrize("failure", ["raise", "answer"])
def test_a_refusal_stores_nothing_so_the_key_may_be_used_again(post, failure):
    refused = post({"name": "Lab", "fail": failure})
    assert (refused.status_code, founded(), IdempotencyKey.objects.count()) == (422, [], 0)

    assert post({"name": "Lab"}).status_code == 201
    assert founded() == ["Lab"]


def test_a_dry_run_needs_no_key_and_uses_none(post):
    post({"name": "Lab"}, None, path="/found?dry_run=true")

    assert IdempotencyKey.objects.count() == 0


def test_where_the_key_is_a_choice_it_protects_whoever_sends_it(post):
    without = [post({"name": "Lab"}, None, view=ChoiceView).data["id"] for _ in range(2)]
    with_key = [post({"name": "Mill"}, "k", view=ChoiceView).data["id"] for _ in range(2)]

    assert (len(set(without)), len(set(with_key))) == (2, 1)


def test_eight_at_once_have_one_effect(post):
    answers = in_threads(8, lambda: post({"name": "Lab"}))

    assert founded() == ["Lab"]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data["id"] for answer in answers}) == 1
    assert sorted("Idempotent-Replayed" in answer for answer in answers) == [False] + [True] * 7


def test_the_race_is_real_a_key_inserted_after_the_effect_lets_it_happen_twice(post, monkeypatch):
    """The control: the same eight requests against a broken twin."""

    def after(actor: str, key: str, fingerprint: str, now: Any, effect: Callable[[], Answer]) -> Answer:
        known = IdempotencyKey.objects.of_actor(actor, key).first()
        everybody_has_looked.wait(10)
        if known is None:
            known_answer = effect()
            IdempotencyKey.objects.bulk_create(
                [IdempotencyKey(actor=actor, key=key, fingerprint=fingerprint, status=201, created_at=now)],
                ignore_conflicts=True,
            )
            return known_answer
        return Answer(status=known.status or 200, body=known.body, replayed=True)

    everybody_has_looked = threading.Barrier(8)
    monkeypatch.setattr(idempotency, "_once", after)

    in_threads(8, lambda: post({"name": "Lab"}))

    assert len(founded()) > 1


def test_a_request_still_in_flight_answers_409_and_the_first_one_finishes(transactional_db, monkeypatch):
    monkeypatch.setattr(idempotency, "LOCK_SECONDS", 1)
    begun, may_end = threading.Event(), threading.Event()

    def slow() -> Answer:
        begun.set()
        assert may_end.wait(20)
        return Answer(status=201, body={"done": 1})

    def first() -> Answer:
        try:
            return once(actor="key_1", key="k", fingerprint="f", now=NOON, effect=slow)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first)
        assert begun.wait(10)
        with pytest.raises(DomainError) as refusal:
            once(actor="key_1", key="k", fingerprint="f", now=NOON, effect=lambda: Answer(status=201, body=None))
        may_end.set()

    assert refusal.value.code == "request_in_flight"
    assert running.result(10).body == {"done": 1}


def test_a_waiting_copy_does_the_work_when_the_first_one_fails(transactional_db):
    begun, may_fail = threading.Event(), threading.Event()

    def failing() -> Answer:
        begun.set()
        assert may_fail.wait(20)
        raise DomainError("no")

    def run(effect: Callable[[], Answer]) -> Answer:
        try:
            return once(actor="key_1", key="k", fingerprint="f", now=NOON, effect=effect)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run, failing)
        assert begun.wait(10)
        second = pool.submit(run, lambda: Answer(status=201, body=2))
        wait_until_somebody_waits_for_a_lock()
        may_fail.set()

        with pytest.raises(DomainError):
            first.result(10)
        assert second.result(10) == Answer(status=201, body=2)


def wait_until_somebody_waits_for_a_lock() -> None:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    pause = threading.Event()
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(sql)
            if cursor.fetchone()[0]:
                return
        pause.wait(0.01)
    pytest.fail("nobody waits for the key")


def test_a_deadlock_is_tried_once_more_and_a_second_one_is_told(transactional_db):
    tries: list[int] = []

    def deadlocked(times: int) -> Callable[[], Answer]:
        def effect() -> Answer:
            tries.append(1)
            if len(tries) <= times:
                raise OperationalError("deadlock") from psycopg.errors.DeadlockDetected()
            return Answer(status=201, body=None)

        return effect

    assert once(actor="a", key="1", fingerprint="f", now=NOON, effect=deadlocked(1)).status == 201
    tries.clear()
    with pytest.raises(OperationalError):
        once(actor="a", key="2", fingerprint="f", now=NOON, effect=deadlocked(2))
    assert len(tries) == 2


def test_the_key_is_written_before_the_effect_reads_anything(post):
    with CaptureQueriesContext(connection) as queries:
        post({"name": "Lab"})

    written = [query["sql"] for query in queries if "INSERT" in query["sql"]]
    assert "accounts_idempotencykey" in written[0]
    assert "accounts_organization" in written[1]


def test_keys_are_forgotten_after_a_day(post):
    post({"name": "Lab"}, "young")
    post({"name": "Mill"}, "old")
    IdempotencyKey.objects.filter(key="old").update(created_at=utc_now() - timedelta(hours=25))

    assert prune_idempotency_keys() == 1
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["young"]


def test_once_refuses_to_run_inside_a_transaction_that_could_still_be_undone(transactional_db):
    with transaction.atomic(), pytest.raises(RuntimeError):
        once(actor="a", key="1", fingerprint="f", now=NOON, effect=lambda: Answer(status=201, body=None))
