"""What pages tell of work in pieces, before it is submitted and while it runs, and of carbon against its cap."""

import pytest

from marketplace.common.clock import hour_floor, utc_now
from scheduler.models import Job
from tests.frontend.stage import match, shelf, submit, text_of

pytestmark = pytest.mark.django_db
FILE = """name: train
run: python3 train.py
config:
  joulemart:
    time_limit_s: 14400
    when: cheapest
    max_pieces: 4
    carbon_cap_g: 40
    checkpoint: {path: ckpt, grace_s: 60, restart_s: 600}
"""


@pytest.fixture
def offer():
    """The hours 2, 3, 8 and 9 from now cost a third."""
    offer, now = shelf(tier="interruptible"), hour_floor(utc_now())
    first = now.weekday() * 24 + now.hour
    offer.rate_mm = [2_000 if (hour - first) % 168 in {2, 3, 8, 9} else 6_000 for hour in range(168)]
    offer.save(update_fields=["rate_mm"])
    return offer


@pytest.fixture
def job(buyer, offer):
    job = submit(buyer, FILE)
    match()
    return Job.objects.get(pk=job.pk)


def test_the_check_shows_the_pieces_against_the_contiguous_run(browser, offer):
    answer = browser.post("/jobs/new/", {"file": FILE, "do": "check"})

    text = text_of(answer)
    assert answer.status_code == 200
    assert "In 2 pieces" in text
    assert text.index("Piece 1") < text.index("Piece 2") < text.index("Together") < text.index("In one run")
    assert "Each piece after the first takes 10 min longer" in text
    assert "−" in text[text.index("Together") : text.index("In one run")]


def test_a_job_that_cannot_be_cut_is_told_which_field_and_what_mends_it(browser, offer):
    text = text_of(browser.post("/jobs/new/", {"file": FILE.replace("when: cheapest", "when: now"), "do": "check"}))

    assert "work that starts now takes no later hours" in text
    assert "when: greenest" in text


def test_the_jobs_page_lists_its_pieces_and_the_cap(browser, job):
    text = text_of(browser.get(f"/jobs/{job.public_id}/"))

    assert "Its pieces" in text
    assert text.index("Piece 1") < text.index("Piece 2")
    assert "of 40 g CO₂e to date" in text


def test_the_jobs_page_is_read_in_chinese(browser, job):
    text = text_of(browser.get(f"/jobs/{job.public_id}/", headers={"accept-language": "zh-hans"}))

    assert "第 1 段" in text
    assert "段与段之间任务等待，不产生费用" in text
    assert "碳排放上限" in text


def test_a_job_without_pieces_or_cap_says_nothing_of_them(browser, buyer, offer):
    job = submit(buyer, FILE.replace("    max_pieces: 4\n", "").replace("    carbon_cap_g: 40\n", ""))
    match()

    text = text_of(browser.get(f"/jobs/{job.public_id}/"))

    assert "Its pieces" not in text
    assert "Carbon cap" not in text
