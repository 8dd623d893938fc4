"""The checker in the running product: each minute, kept for a day, told to operators and on the status page."""

import logging
import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from config import promises, tasks
from config.celery import app
from config.invariants.running import CHECKS
from config.promises import PROMISES_LOCK, check_promises
from marketplace.events.models import Event, InvariantRun
from tests.application import as_application, prepare, sign_in
from tests.catalog.test_admin import browser
from tests.frontend.stage import text_of
from tests.invariants.scene import Market
from tests.invariants.test_checker import broken

pytestmark = pytest.mark.django_db(transaction=True)
DESK = "/admin/events/invariantrun/"
CHANGE = """
    UPDATE ledger_account SET balance = balance {} 1
    WHERE id = (SELECT max(id) FROM ledger_account WHERE kind = 'buyer_available')
"""
BREAK, MEND = CHANGE.format("+"), CHANGE.format("-")


@pytest.fixture(autouse=True)
def the_desk(settings):
    settings.REQUIRE_OPERATOR_MFA = False
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


def check(**ask):
    return check_promises(now=timezone.now(), **ask)


def told():
    return list(Event.objects.filter(type__startswith="promises.").values_list("type", "facts__checks").order_by("pk"))


@pytest.fixture
def pages():
    """(the status page, the desk's page, another page of the desk) as text in a language."""
    auditor, visitor = browser(Role.AUDITOR), Client()

    def read(language="en"):
        for client in (auditor, visitor):
            client.cookies["django_language"] = language
        asked = ((visitor, "/status/"), (auditor, DESK), (auditor, "/admin/events/event/"))
        return [text_of(client.get(path)) for client, path in asked]

    return read


def test_the_schedule_runs_every_check_each_minute_as_the_application():
    Market()
    prepare()
    schedule = app.conf.beat_schedule["check-promises"]
    assert (schedule["schedule"], schedule["options"]["expires"]) == (60.0, 50)
    with as_application():
        app.tasks[schedule["task"]].run()

    run = InvariantRun.objects.get()
    assert (run.outcome, run.note, run.broken) == ("kept", "", [])
    assert [each["id"] for each in run.findings] == list(CHECKS)
    assert all(each["rows"] > 0 for each in run.findings)
    assert tasks.check_promises.time_limit <= 30
    assert told() == []


def test_a_broken_promise_is_told_once_in_the_journal_and_each_time_in_the_log(caplog):
    Market()
    check()
    broken(BREAK)
    with caplog.at_level(logging.ERROR):
        check()
        check()

    assert [run.outcome for run in InvariantRun.objects.all()] == ["kept", "broken", "broken"]
    assert caplog.text.count("promise M8 is broken") == 2
    assert told() == [("promises.broken", ["M8"])]

    broken(MEND)
    check()
    assert told() == [("promises.broken", ["M8"]), ("promises.kept", [])]


def test_what_is_not_checked_in_time_is_never_said_to_hold(monkeypatch, caplog, pages):
    slow = CHECKS["M8"].__class__(
        id="M8", promise=CHECKS["M8"].promise, rows="SELECT 1 FROM pg_sleep(5)", queries=(), corrupt=()
    )
    monkeypatch.setattr(promises, "CHECKS", CHECKS | {"M8": slow})
    run = check(within=timedelta(seconds=1))

    assert (run.outcome, run.note) == ("unknown", "M8 was not done within 1 s")
    assert [each["id"] for each in run.findings] == ["M1", "M2", "M4", "M5"]
    assert run.ms < 3_000
    assert "could not all be checked" in caplog.text
    assert told() == [("promises.unknown", [])]
    status, desk, head = pages()
    assert "they could not all be checked" in status
    assert "Not everything could be checked: M8 was not done within 1 s" in desk
    assert "Promises not checked" in head
    assert "Every promise checked" not in status


def test_what_was_found_before_the_time_was_up_is_broken_all_the_same(monkeypatch):
    Market()
    slow = CHECKS["C1"].__class__(id="C1", promise="", rows="SELECT 1 FROM pg_sleep(5)", queries=(), corrupt=())
    monkeypatch.setattr(promises, "CHECKS", CHECKS | {"C1": slow})
    broken(BREAK)
    run = check(within=timedelta(seconds=1))

    assert (run.outcome, [each["id"] for each in run.broken]) == ("broken", ["M8"])
    assert run.note == "C1 was not done within 1 s"


def test_two_schedules_at_once_check_once():
    prepare()
    with sign_in() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [PROMISES_LOCK])
        assert check() is None
        assert not InvariantRun.objects.exists()
        other.execute("SELECT pg_advisory_unlock(%s)", [PROMISES_LOCK])
    assert check().outcome == "kept"
    assert check() is not None


def test_a_day_of_runs_is_kept():
    first, now = check(), timezone.now()
    InvariantRun.objects.filter(pk=first.pk).update(finished_at=now - timedelta(hours=24, minutes=1))
    second = check()
    InvariantRun.objects.filter(pk=second.pk).update(finished_at=now - timedelta(hours=23, minutes=59))
    third = check()

    assert list(InvariantRun.objects.all()) == [second, third]


@pytest.mark.parametrize(
    "row", ["(public_id, finished_at, outcome, ms, note, findings) VALUES ('c', now(), 'fine', 1, '', '[]')",
            "(public_id, finished_at, outcome, ms, note, findings) VALUES ('c', now(), 'kept', 1, 'late', '[]')",
            "(public_id, finished_at, outcome, ms, note, findings) VALUES ('c', now(), 'unknown', 1, '', '[]')"],
)  # fmt: skip
def test_the_database_refuses_a_run_that_hides_what_it_did_not_check(row):
    with pytest.raises(IntegrityError, match="invariant_run"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO events_invariantrun {row}")


WORDS = {
    "en": ("Every promise checked", "Hold", "Promises kept", "the balance on the row of an account", "Promises hold"),
    "zh-hans": ("检查了每一项承诺", "成立", "承诺的履行", "账户行上的余额等于其分录之和", "承诺均成立"),
}


@pytest.mark.parametrize("language", WORDS)
def test_the_pages_say_that_everything_holds_in_the_readers_language(pages, language):
    Market()
    check()
    status, desk, head = pages(language)

    for words, page in zip(WORDS[language], (status, status, desk, desk, head), strict=True):
        assert words in page


def test_the_pages_say_which_promise_is_broken_and_the_desk_names_the_row(pages):
    Market()
    broken(BREAK)
    check()
    status, desk, head = pages()

    assert "Broken: M8: the balance on the row of an account is the sum of its entries" in status
    assert "A promise is broken" in status
    assert "acc_" not in status
    assert "1 broken" in desk
    assert re.search(r"expected \d+, found \d+", desk)
    assert "Promise broken" in head


def test_the_pages_warn_when_the_last_check_is_old_or_there_is_none(pages):
    assert all("Nothing was checked yet" in page for page in pages()[:2])
    check()
    InvariantRun.objects.update(finished_at=timezone.now() - timedelta(minutes=7))
    status, desk, head = pages()

    assert "Last checked 7 min" in status
    assert "Unknown" in status
    assert "The last check was 7 minutes ago" in desk
    assert "Promises not checked" in head


def test_a_run_has_a_page_of_its_own_and_one_that_is_gone_has_none():
    run, client = check(), browser(Role.OPERATOR)

    assert "Promises that hold" in text_of(client.get(f"{DESK}{run.pk}/change/"))
    assert client.get(f"{DESK}{run.pk + 1}/change/").status_code == 302
    assert client.get(f"{DESK}none/change/").status_code == 302
