"""The buyers' pages of jobs: list, submission in both directions, and one job with its reasons and its buttons."""

import re
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from frontend.store.jobform import as_yaml, from_file, into_file, tree_of
from marketplace.common.clock import utc_now
from scheduler.jobfile import parse
from scheduler.leases import renew
from scheduler.logs import append_log
from scheduler.models import Agent, Job, JobInput, MatchRound, Upload
from scheduler.reasons import explain_pending
from tests.frontend.stage import FILE, match, shelf, submit, text_of, value_of
from tests.market import make_organization
from tests.scheduler.scene import TestAgent, make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def sample(settings, tmp_path: Path):
    """An installation that came with the sample job."""
    examples = tmp_path / "docs" / "examples"
    examples.mkdir(parents=True)
    (examples / "factorize.yaml").write_text(FILE.replace("hello\n", "factorize\n", 1))
    settings.BASE_DIR = tmp_path


def test_a_stranger_is_asked_to_sign_in_and_comes_back_to_the_page():
    answer = Client().get("/jobs/new/?example=factorize")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    assert "next=/jobs/new/%3Fexample%3Dfactorize" in answer["Location"]


def test_another_organizations_job_is_not_there(browser):
    shelf()
    job = submit(make_organization("Somebody else"))

    assert browser.get(f"/jobs/{job.public_id}/").status_code == 404
    assert browser.post(f"/jobs/{job.public_id}/cancel/").status_code == 404
    job.refresh_from_db()
    assert job.state == "queued"


def test_an_empty_list_offers_the_sample_job_which_runs_once_however_often_it_is_pressed(browser, sample):
    shelf()
    page = browser.get("/jobs/").content.decode()
    key = value_of(page, "request_key")

    first = browser.post("/jobs/sample/", {"request_key": key})
    again = browser.post("/jobs/sample/", {"request_key": key})

    job = Job.objects.get()
    assert job.name == "factorize"
    assert first["Location"] == again["Location"] == f"/jobs/{job.public_id}/"


def test_the_list_is_kept_to_a_state_and_a_name(browser, buyer):
    make_job(now=utc_now(), buyer=buyer, name="train")
    make_job(now=utc_now(), buyer=buyer, name="evaluate")

    assert "train" in text_of(browser.get("/jobs/?state=waiting&name=trai"))
    assert "evaluate" not in text_of(browser.get("/jobs/?state=waiting&name=trai"))
    assert "No job matches" in text_of(browser.get("/jobs/?state=succeeded"))


def test_the_list_goes_on_where_a_page_ends(browser, buyer):
    names = [f"job number {number:02d}" for number in range(25)]
    for name in names:
        make_job(now=utc_now(), buyer=buyer, name=name)

    first = browser.get("/jobs/").content.decode()
    older = re.search(r'href="(\?[^"]*starting_after=[^"]*)"', first)
    assert older is not None
    second = browser.get("/jobs/" + older[1].replace("&amp;", "&")).content.decode()

    shown = [re.findall(r"job number \d\d", page) for page in (first, second)]
    assert sorted({*shown[0], *shown[1]}) == names
    assert not set(shown[0]) & set(shown[1])


def test_the_form_writes_the_file_and_the_file_fills_the_form():
    tree = {
        "name": "train", "resources": {"accelerators": "H100:8"}, "run": "python3 train.py\necho done",
        "config": {
            "joulemart": {
                "time_limit_s": 5400, "when": "now", "renewable_min": 0.85, "near": "berlin", "max_total": 9050,
                "budget_stop": True,
            }
        },
    }  # fmt: skip

    values = from_file(tree, "USD")
    file = parse(as_yaml(into_file(values, tree, "USD")))

    assert (values["accelerator"], values["units"], str(values["minutes"])) == ("H100", 8, "90")
    assert (str(values["renewable"]), str(values["max_total"]), values["budget_stop"]) == ("85", "90.5", True)
    assert file.tree == tree


def test_what_the_form_does_not_know_stays_in_the_file(browser):
    shelf()
    text = "envs: {SEED: '010'}\n" + FILE + "    retries: 1\n"
    form = {"run": "echo bye", "units": 2, "minutes": 5, "accelerator": "none", "when": "greenest"}
    form |= {"weights": "green", "near": "anywhere"}

    answer = browser.post("/jobs/new/", {"do": "write", "file": text, **form})

    area = re.search(r"<textarea[^>]*id=\"job-file\"[^>]*>\n(.*?)</textarea>", answer.content.decode(), re.S)
    assert area is not None
    tree = tree_of(area[1].replace("&#x27;", "'"))
    assert tree["envs"] == {"SEED": "010"}
    assert tree["run"] == "echo bye"
    market = tree["config"]["joulemart"]
    assert market == {"time_limit_s": 300, "retries": 1, "when": "greenest", "weights": "green"}
    assert Job.objects.count() == 0


def test_a_bad_file_is_answered_line_by_line_and_nothing_is_stored(browser):
    text = "run: echo\nresources: {accelerator: H100}\nconfig:\n  joulemart: {time_limit_s: 5}\n"

    answer = browser.post("/jobs/new/", {"do": "submit", "file": text})
    html = answer.content.decode()

    assert answer.status_code == 422
    assert 'href="#line-2"' in html
    assert 'id="line-2"' in html
    assert 'aria-describedby="file-errors"' in html
    assert "/resources/accelerator did you mean accelerators?" in text_of(answer)
    assert "/config/joulemart/time_limit_s" in html
    assert Job.objects.count() == 0


def test_an_accelerator_nobody_has_is_found_in_its_line(browser):
    shelf()

    answer = browser.post("/jobs/new/", {"do": "submit", "file": 'resources: {accelerators: "Abacus:8"}\n' + FILE})

    assert answer.status_code == 422
    assert "Line 1 /resources/accelerators no offer has Abacus" in text_of(answer)


def test_check_names_offer_price_and_start_and_stores_nothing(browser):
    offer = shelf()

    answer = browser.post("/jobs/new/", {"do": "check", "file": FILE})

    said = text_of(answer)
    assert answer.status_code == 200
    assert "It would run" in said
    assert offer.title in said
    assert "at most, all-in" in said
    assert Job.objects.count() == 0


def test_a_job_that_stops_by_its_budget_is_told_when_before_and_after(browser):
    shelf()
    text = re.sub(r"time_limit_s: \d+", "time_limit_s: 36000", FILE) + "    max_total: 10\n    budget_stop: true\n"

    checked = text_of(browser.post("/jobs/new/", {"do": "check", "file": text}))
    sent = browser.post("/jobs/new/", {"do": "submit", "file": text})

    assert "Stops after" in checked
    assert "at the latest." in checked
    job = Job.objects.get()
    assert (job.budget_stop, sent.status_code) == (True, 302)


def test_a_stop_without_a_total_is_told_beside_the_field_and_leaves_the_file(browser):
    shelf()
    form = {"run": "echo bye", "units": 1, "minutes": 5, "accelerator": "none", "when": "now", "weights": "default"}

    answer = browser.post("/jobs/new/", {"do": "write", "file": FILE, "near": "anywhere", "budget_stop": "on", **form})

    assert "A job that stops when its total is used up needs one." in text_of(answer)
    assert "budget_stop" not in value_of_file(answer)


def value_of_file(answer):
    """The job file as the page holds it."""
    return re.search(r"<textarea class=.code.*?>(.*?)</textarea>", answer.content.decode(), re.DOTALL)[1]


def test_a_job_that_no_offer_can_take_says_what_to_loosen_and_loosens_it_in_the_file(browser):
    shelf()
    text = FILE + "    near: berlin\n    latency_ms_max: 1\n"

    refused = browser.post("/jobs/new/", {"do": "submit", "file": text})
    assert "No offer can ever take this job" in text_of(refused)
    assert "Latency up to 27 ms" in text_of(refused)
    assert Job.objects.count() == 0

    loosened = browser.post("/jobs/new/", {"file": text, "relax": value_of(refused.content.decode(), "relax")})
    assert "latency_ms_max: 27" in loosened.content.decode()
    assert "It would run" in text_of(loosened)


def test_a_form_sent_twice_makes_one_job(browser):
    shelf()
    sent = {
        "do": "submit",
        "file": FILE,
        "request_key": value_of(browser.get("/jobs/new/").content.decode(), "request_key"),
    }

    first, again = browser.post("/jobs/new/", sent), browser.post("/jobs/new/", sent)

    job = Job.objects.get()
    assert first["Location"] == again["Location"] == f"/jobs/{job.public_id}/"


def test_a_file_sent_with_a_check_is_kept_and_becomes_an_input(browser, settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    }
    shelf()
    files = {"files": SimpleUploadedFile("numbers.txt", b"1 2 3\n")}

    checked = browser.post("/jobs/new/", {"do": "check", "file": FILE} | files)
    kept = value_of(checked.content.decode(), "input")
    browser.post("/jobs/new/", {"do": "submit", "file": FILE, "input": kept})

    assert kept == f"{Upload.objects.get().public_id}:numbers.txt"
    assert [(each.path, each.upload.size) for each in JobInput.objects.all()] == [("numbers.txt", 6)]


def test_anothers_upload_cannot_be_named_as_an_input(browser):
    shelf()
    upload = Upload.objects.create(
        owner=make_organization(), size=1, sha256="0" * 64, stored_as="x", created_at=utc_now(), expires_at=utc_now()
    )

    answer = browser.post("/jobs/new/", {"do": "submit", "file": FILE, "input": f"{upload.public_id}:x"})

    assert answer.status_code == 422
    assert Job.objects.count() == 0


def test_the_page_of_a_placed_job_says_why_here_and_why_not_there(browser, buyer):
    near = shelf(provider=make_organization("Near"))
    far = shelf(provider=make_organization("Far"), latency_ms=200)
    job = submit(buyer, FILE + "    near: berlin\n    latency_ms_max: 30\n")
    match()

    said = text_of(browser.get(f"/jobs/{job.public_id}/"))

    assert f"{near.title} is the only one of 2 offers that fits." in said
    assert "Price" in said
    assert "1 offer was refused, and why" in said
    assert f"too far away, or nobody knows how far (1) {far.title}" in said


def test_the_page_of_a_job_placed_by_a_big_round_names_the_offer_before_the_reasons_are_written(browser, buyer):
    offer = shelf(units=40)
    jobs = [make_job(now=utc_now(), buyer=buyer, name=f"job {number}") for number in range(33)]
    match()

    said = text_of(browser.get(f"/jobs/{jobs[0].public_id}/"))
    assert "Why here" in said
    assert f"{offer.title} takes it. The reasons of this big round are still being written." in said

    explain_pending(public_id=MatchRound.objects.get().public_id)
    said = text_of(browser.get(f"/jobs/{jobs[0].public_id}/"))
    assert f"{offer.title} is the only one of 1 offers that fits." in said


def test_the_relax_button_of_a_waiting_job_really_relaxes_it(browser, buyer):
    offer = shelf()
    ask = {
        "units": 1, "run_s": 600, "segment": "cpu", "weights": [40, 20, 40], "when": "balanced", "near": "berlin",
        "limits": {"family": ["cpu"], "latency_ms__lte": 1}, "rates": None, "reference_pf_milli": None,
        "time_limit_by_class": {},
    }  # fmt: skip
    job = make_job(now=utc_now(), buyer=buyer, ask=ask)
    match()
    page = browser.get(f"/jobs/{job.public_id}/")
    assert "Latency up to 27 ms" in text_of(page)

    browser.post(f"/jobs/{job.public_id}/relax/", {"limits": value_of(page.content.decode(), "limits")})
    match()

    job.refresh_from_db()
    assert job.state == "allocated"
    assert job.allocations.get().offer == offer


def test_a_relax_button_that_says_nonsense_changes_nothing(browser, buyer):
    job = make_job(now=utc_now(), buyer=buyer)

    answer = browser.post(f"/jobs/{job.public_id}/relax/", {"limits": "{"}, follow=True)

    assert "reload the page" in text_of(answer)
    before = job.ask
    job.refresh_from_db()
    assert job.ask == before


def test_a_waiting_job_is_cancelled_and_an_ended_one_says_that_it_has_ended(browser, buyer):
    job = make_job(now=utc_now(), buyer=buyer)

    browser.post(f"/jobs/{job.public_id}/cancel/")
    job.refresh_from_db()
    assert job.state == "cancelled"

    early = make_job(now=utc_now(), buyer=buyer, state="expired", finished_at=utc_now())
    answer = browser.post(f"/jobs/{early.public_id}/cancel/", follow=True)
    assert "already ended" in text_of(answer)


def test_run_again_makes_one_new_job_however_often_it_is_pressed(browser, buyer):
    shelf()
    job = submit(buyer)
    browser.post(f"/jobs/{job.public_id}/cancel/")
    key = value_of(browser.get(f"/jobs/{job.public_id}/").content.decode(), "request_key")

    answers = [browser.post(f"/jobs/{job.public_id}/retry/", {"request_key": key}) for _ in range(2)]

    new = Job.objects.exclude(pk=job.pk).get()
    assert new.file == job.file
    assert {answer["Location"] for answer in answers} == {f"/jobs/{new.public_id}/"}


def test_the_log_is_there_without_script_free_of_markup_and_control_characters(browser, buyer):
    offer = shelf()
    Agent.objects.all().delete()
    agent = TestAgent(offer, now=utc_now())
    job = submit(buyer)
    match()
    lease = agent.claim(now=utc_now())[0]
    renew(public_id=lease.public_id, key=agent.key, epoch=1, phase="running", progress=None, usage={}, now=utc_now())
    data = b"\x1b[31mred\x1b[0m <b>bold</b>\n10%\r100%\n"
    append_log(public_id=lease.public_id, key=agent.key, epoch=1, offset=0, data=data, now=utc_now())

    html = browser.get(f"/jobs/{job.public_id}/").content.decode()
    whole = b"".join(browser.get(f"/jobs/{job.public_id}/log/"))

    assert "red &lt;b&gt;bold&lt;/b&gt;" in html
    assert "100%" in html
    assert "\x1b" not in html
    assert f'data-after="1-{len(data)}"' in html
    assert f"/api/v1/jobs/{job.public_id}/logs?follow=1" in html
    assert whole == data


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_carry_no_inline_style_or_script_and_each_id_once(browser, buyer, sample, language):
    shelf()
    job = submit(buyer)
    match()
    for path in (
        "/jobs/",
        "/jobs/new/?example=factorize",
        f"/jobs/new/?from={job.public_id}",
        f"/jobs/{job.public_id}/",
    ):
        html = browser.get(path, headers={"accept-language": language}).content.decode()
        ids = re.findall(r'\sid="([^"]+)"', html)

        assert len(ids) == len(set(ids)), path
        assert len(re.findall(r"<h1[ >]", html)) == 1, path
        assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|<c-", html), path
        assert len(html) < 35_000, path
