"""What happened to a job, in one sentence."""

from datetime import timedelta

import pytest
from django.utils import translation

from scheduler.story import attempt_sentence
from tests.market import NOON
from tests.scheduler.scene import allocated, make_cpu_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt():
    offer = make_cpu_offer()
    offer.site.zone.timezone = "Asia/Shanghai"
    offer.site.zone.save()
    return allocated(offer, now=NOON)


def test_an_attempt_of_now_waits_for_its_agent(attempt):
    with translation.override("en"):
        assert attempt_sentence(attempt) == f"Waits for the agent at {attempt.allocation.offer.site.name}."


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "Is to start at {site} on Tue 07:00, the time there."),
        ("zh-hans", "将于当地时间 星期二 07:00 在 {site} 开始。"),
    ],
)
def test_an_attempt_of_a_later_hour_says_when_by_the_clock_of_its_site(attempt, language, told):
    attempt.allocation.start = NOON + timedelta(hours=11)  # 23:00 UTC is seven the next morning in Shanghai

    with translation.override(language):
        assert attempt_sentence(attempt) == told.format(site=attempt.allocation.offer.site.name)


def test_work_whose_machine_failed_under_it_is_not_said_never_to_have_started(attempt):
    attempt.state, attempt.reason = "ended", "node_failed"
    with translation.override("en"):
        assert "did not start it in time" in attempt_sentence(attempt)
        attempt.started_at = NOON
        assert "The machine failed under it; what was not charged before costs nothing." in attempt_sentence(attempt)
