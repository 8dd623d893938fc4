"""What the documentation says is what the code does."""

import re
from pathlib import Path

import pytest

from config.reference import PAGES

ROOT = Path(__file__).resolve().parents[2]
MARKDOWN = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_written_from_the_code(name):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")

    assert written == PAGES[name](), "run `manage.py write_reference`"


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_readme_names_the_two_commands():
    readme = (ROOT / "README.md").read_text()

    assert "make run" in readme
    assert "make test" in readme
    assert "make test" in (ROOT / ".ci" / "run").read_text()
