"""The operators' page of a round: what it saw, what it proved, where its time went, and whether it can be repeated."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Role
from scheduler import hints
from scheduler.cycle import run_round
from scheduler.models import Job, MatchRound
from scheduler.roundview import WIDE, phases, scarcest
from tests.catalog.test_admin import browser
from tests.frontend.stage import text_of
from tests.market import NOON
from tests.scheduler.scene import make_cpu_offer, make_job, make_round

pytestmark = pytest.mark.django_db
LIST = "/admin/scheduler/matchround/"
LANGUAGES = {
    "en": ("Replay this round", "Left waiting", "outbid: it fits alone", "Scarcest hours", "Of the bound", "Time"),
    "zh-hans": ("重放本轮", "仍在等待", "被更高价值的任务挤出", "最紧缺的小时", "占上界之比", "用时"),
}


@pytest.fixture(autouse=True)
def the_desk(settings):
    settings.REQUIRE_OPERATOR_MFA = False
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture
def operator():
    return browser(Role.OPERATOR)


@pytest.fixture
def auditor():
    return browser(Role.AUDITOR)


def scarce_round():
    """Five jobs that want one hour of two units."""
    offer = make_cpu_offer(units=2)
    offer.title = "North hall"
    offer.save()
    for number in range(5):
        job = make_job(now=NOON, name=f"job {number}")
        ask = job.ask | {"run_s": 3600, "when": "now"}
        Job.objects.filter(pk=job.pk).update(ask=ask, finish_by=NOON + timedelta(minutes=70))
    return MatchRound.objects.get(pk=run_round(segment="cpu", now=NOON).pk)


def page(client, round_):
    return client.get(f"{LIST}{round_.pk}/change/")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_tells_a_round_in_both_languages(operator, language):
    round_ = scarce_round()
    operator.cookies["django_language"] = language

    html = page(operator, round_)

    text = text_of(html)
    for words in (*LANGUAGES[language], "North hall", f"{round_.ratio_bp / 100:.2f} %", round_.result_sha256):
        assert words in text
    assert f"replay_round {round_.public_id}" in text
    assert " style=" not in html.content.decode().split('class="round"')[1].split("</main>")[0]


def test_the_scarcest_hours_are_those_of_the_plan():
    round_ = scarce_round()

    [hour] = scarcest(round_)

    assert (hour.title, hour.start) == ("North hall", NOON)
    assert hour.amount.endswith(" USD")


def test_the_phases_fill_the_drawing_and_nothing_is_divided_by_no_time():
    round_ = make_round(NOON)
    round_.ms_read, round_.ms_core, round_.ms_write = 7, 1, 3

    drawn = phases(round_)

    assert [each.ms for each in drawn] == [7, 1, 3]
    assert sum(each.width for each in drawn) == WIDE
    round_.ms_read = round_.ms_core = round_.ms_write = 0
    assert [each.width for each in phases(round_)] == [0, 0, 0]


def test_a_round_that_proved_nothing_says_so(operator):
    make_cpu_offer(units=2)
    for number in range(3):
        make_job(now=NOON, name=f"job {number}")
    flood = run_round(segment="cpu", now=NOON, most=2)

    text = text_of(page(operator, flood))

    assert "this mode proves none" in text
    assert "This mode prices no hour" in text


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_the_button_replays_the_round_and_says_whether_the_bytes_agree(role, request):
    round_, client = scarce_round(), request.getfixturevalue(role)

    answer = client.post(f"{LIST}{round_.pk}/replay/", follow=True)

    assert answer.redirect_chain[-1][0] == f"{LIST}{round_.pk}/change/"
    assert f"{round_.public_id}: the same plan, byte for byte." in text_of(answer)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"core_version": "2"}, "decided by version 2 of the matcher"), ({"snapshot": None}, "Its snapshot is gone")],
)
def test_a_round_that_cannot_be_replayed_says_why_and_its_button_is_off(operator, change, words):
    round_ = scarce_round()
    MatchRound.objects.filter(pk=round_.pk).update(**change)

    answer = page(operator, round_)

    assert words in text_of(answer)
    assert "disabled aria-describedby" in answer.content.decode()


def test_others_see_no_round_and_replay_none():
    round_ = scarce_round()
    buyer = browser(Role.BUYER)

    answers = [
        ask(f"{LIST}{round_.pk}/{path}").status_code
        for stranger in (Client(), buyer)
        for ask, path in ((stranger.get, "change/"), (stranger.post, "replay/"))
    ]

    assert answers == [302] * 4


@pytest.mark.parametrize("key", ["0", "999999999", "x"])
def test_a_round_that_does_not_exist_has_no_page(operator, key):
    assert operator.post(f"{LIST}{key}/replay/").status_code == 404
    assert operator.get(f"{LIST}{key}/change/").status_code == 302


def test_an_empty_list_says_when_a_round_leaves_a_record(operator):
    assert "No round yet" in text_of(operator.get(LIST))
    make_round(NOON)
    assert "No round yet" not in text_of(operator.get(LIST))


def test_a_quality_round_is_asked_for_after_a_question_by_operators_alone(operator, auditor, monkeypatch):
    sent = []
    monkeypatch.setattr(hints.current_app, "send_task", lambda task, args, **_: sent.append((task, *args)))
    make_job(now=NOON)

    question = text_of(operator.get(f"{LIST}quality/"))
    asked_nothing = list(sent)
    refused = auditor.post(f"{LIST}quality/", {"segment": "cpu"}).status_code
    unknown = operator.post(f"{LIST}quality/", {"segment": "nowhere"})
    done = operator.post(f"{LIST}quality/", {"segment": "cpu"}, follow=True)

    assert "Run a quality round now?" in question
    assert "1 job waits" in question
    assert (asked_nothing, refused, unknown.status_code) == ([], 403, 200)
    assert sent == [("match_segment", "cpu", "quality")]
    assert "A quality round of cpu was asked for" in text_of(done)
