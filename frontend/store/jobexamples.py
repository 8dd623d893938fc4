"""The example job files that came with this installation, for the page that submits jobs."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

SAMPLE = "factorize"


@dataclass(frozen=True, slots=True)
class Example:
    """One file of `docs/examples/`, with what it shows."""

    slug: str
    title: str
    note: str
    path: Path

    @property
    def text(self) -> str:
        """The file as it is."""
        return self.path.read_text(encoding="utf-8")


def examples() -> list[Example]:
    """Every example that is there, the sample job first."""
    files = {path.stem: path for path in sorted((Path(settings.BASE_DIR) / "docs" / "examples").glob("*.yaml"))}
    order = sorted(files, key=lambda slug: (slug != SAMPLE, slug))
    return [Example(slug, *_words(slug), files[slug]) for slug in order]


def example(slug: str) -> Example | None:
    """The example of this name."""
    return next((each for each in examples() if each.slug == slug), None)


def _words(slug: str) -> tuple[str, str]:
    known = {
        "factorize": (_("Factor numbers"), _("One processor, one minute, one output file.")),
        "green-and-near": (_("Green and near"), _("Limits that may be too tight, to see what to relax.")),
        "wait-for-the-sun": (_("Wait for the sun"), _("Starts in the greenest hours of the next days.")),
    }
    return known.get(slug, (slug.replace("-", " ").capitalize(), ""))
