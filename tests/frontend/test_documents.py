"""The documentation as pages: Markdown is drawn, links between files stay inside, HTML stays text."""

import pytest
from django.test import Client

from frontend.store.documents import html_of
from tests.frontend.stage import text_of

pytestmark = pytest.mark.django_db


def test_the_list_puts_the_first_things_first_and_decisions_apart():
    text = text_of(Client().get("/docs/"))

    assert text.index("Read first") < text.index("Quickstart") < text.index("Error codes") < text.index("Decisions")


def test_a_document_is_drawn_under_its_own_heading_alone():
    page = Client().get("/docs/errors/").content.decode()

    assert page.count("Error codes</h1>") == 1
    assert "<code>capacity_taken</code></td>\n<td>409</td>" in page
    assert "| `capacity_taken`" not in page


def test_a_document_that_is_not_there_or_lies_outside_is_not_found():
    assert Client().get("/docs/nothing/").status_code == 404
    assert Client().get("/docs/../README/").status_code == 404


@pytest.mark.parametrize(
    ("slug", "href", "address"),
    [
        ("architecture", "how-to/add-a-state.md", "/docs/how-to/add-a-state/"),
        ("how-to/add-an-app", "../architecture.md#layers", "/docs/architecture/#layers"),
        ("architecture", "decisions/", "/docs/"),
        ("architecture", "../README.md", "/docs/"),
        ("architecture", "#layers", "#layers"),
        ("architecture", "https://example.org/a.md", "https://example.org/a.md"),
    ],
)
def test_a_link_between_files_is_a_link_between_pages(slug, href, address):
    assert f'<a href="{address}">there</a>' in html_of(f"# Title\n\n[there]({href})\n", slug)


def test_headings_can_be_linked_to():
    assert '<h2 id="a-jobs-way">' in html_of("# Title\n\n## A job's way\n", "architecture")


def test_html_in_a_document_stays_text_and_no_script_gets_in():
    drawn = html_of("# T\n\n<script>alert(1)</script>\n\n```\n<b>\n```\n\n[x](javascript:alert(1))\n", "architecture")

    assert "<script" not in drawn and "&lt;script&gt;" in drawn
    assert "&lt;b&gt;" in drawn
    assert 'href="javascript' not in drawn
