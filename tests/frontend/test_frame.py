"""The frame of every page: languages, themes, the style page, errors and the Sample bar."""

import gzip
import json
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation

from frontend import errors
from frontend.context import Page
from frontend.store import styleguide, switches

TEMPLATES = Path(switches.__file__).resolve().parents[1] / "templates"
STATIC = TEMPLATES.parent / "static"


class NoMessages(list):
    def add(self, *_args, **_kwargs):
        return None


def get(path="/", **cookies):
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    request.organization = None
    request._messages = NoMessages()
    request.COOKIES.update(cookies)
    return request


def post(path, data):
    request = RequestFactory().post(path, data)
    request.user = AnonymousUser()
    request._dont_enforce_csrf_checks = True
    return request


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_component_renders_without_inline_style_or_script(language):
    with translation.override(language):
        html = styleguide.styleguide(get("/styleguide/")).content.decode()

    assert "<c-" not in html
    assert "style=" not in html
    assert not re.search(r"\son\w+=", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert ("任务" in html) == (language == "zh-hans")
    assert len(re.findall(r"<h1[ >]", html)) == 1


def test_ids_on_the_style_page_are_unique():
    html = styleguide.styleguide(get("/styleguide/")).content.decode()

    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_every_component_is_used_by_a_page():
    pages = "".join(path.read_text() for path in TEMPLATES.rglob("*.html"))

    unused = [
        path.stem for path in (TEMPLATES / "cotton").glob("*.html") if f"<c-{path.stem.replace('_', '-')}" not in pages
    ]
    assert unused == []


def test_a_chosen_theme_is_kept_and_an_unknown_one_is_ignored():
    assert Page(get(theme="dark")).theme == "dark"
    assert Page(get(theme="plaid")).theme == ""
    answer = switches.choose_theme(post("/theme/", {"theme": "dark", "next": "/jobs/"}))
    assert answer.cookies["theme"].value == "dark"
    assert answer["Location"] == "/jobs/"


def test_a_switch_never_leads_to_another_host():
    answer = switches.choose_theme(post("/theme/", {"theme": "light", "next": "https://evil.example/"}))

    assert answer["Location"] == "/"


def test_only_languages_of_the_product_are_kept(settings):
    kept = switches.choose_language(post("/language/", {"language": "zh-hans"}))
    refused = switches.choose_language(post("/language/", {"language": "tlh"}))

    assert kept.cookies[settings.LANGUAGE_COOKIE_NAME].value == "zh-hans"
    assert settings.LANGUAGE_COOKIE_NAME not in refused.cookies


def test_the_sample_bar_is_there_only_on_a_sample_market(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert Page(get()).sample == []

    accounts = {role: {"email": f"{role}@sample"} for role in ("buyer", "provider", "operator")}
    (tmp_path / "sample.json").write_text(json.dumps({"accounts": accounts}))
    assert [account.role for account in Page(get()).sample] == ["buyer", "provider", "operator"]


@pytest.mark.parametrize(
    ("view", "status"), [(errors.bad_request, 400), (errors.forbidden, 403), (errors.not_found, 404)]
)
def test_errors_are_pages_for_people_and_problems_for_programs(view, status):
    page, problem = view(get("/nowhere/")), view(get("/api/v1/nowhere"))

    assert (page.status_code, problem.status_code) == (status, status)
    assert "<h1>" in page.content.decode()
    assert problem["Content-Type"] == "application/problem+json"
    assert json.loads(problem.content)["status"] == status


def test_the_page_about_a_fault_needs_neither_request_nor_database():
    html = render_to_string("500.html")

    assert "Something broke on our side" in html


def test_an_expired_form_says_that_nothing_was_sent():
    answer = errors.csrf_failure(get("/jobs/new/"))

    assert answer.status_code == 403
    assert "nothing was sent" in answer.content.decode()


def test_static_files_ask_no_other_host_and_stay_small():
    sheets = {path.stem: len(gzip.compress(path.read_bytes())) for path in (STATIC / "css").glob("*.css")}
    desk = sheets.pop("desk")  # stands beside the tokens alone, in the frame of the admin
    assert sheets["tokens"] + desk < 4_500
    shared = sum(sheets.pop(name) for name in ("tokens", "base", "components", "pages"))
    fonts = sum(len(path.read_bytes()) for path in (STATIC / "fonts").glob("*.woff2"))
    ours = [path for kind in ("css/*.css", "js/*.js", "img/*.svg") for path in STATIC.glob(kind)]

    assert shared + max(sheets.values()) < 15_000
    assert fonts < 120_000
    for path in ours:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path.name
