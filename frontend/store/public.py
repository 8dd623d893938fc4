"""Pages for everybody that ask nothing of the market: status and documentation."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from marketplace.common.clock import utc_now

FOLDERS = (("", "*.md"), ("how-to", "*.md"), ("decisions", "*.md"))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the product and whether it answers now."""

    name: str
    answers: bool
    note: str


@dataclass(frozen=True, slots=True)
class Document:
    """One file of the documentation, named by its first heading."""

    slug: str
    title: str


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Whether database and message store answer, asked at this moment; 503 when one does not."""
    parts = [_database(), _messages()]
    working = all(part.answers for part in parts)
    context = {"parts": parts, "working": working, "now": utc_now()}
    return render(request, "status.html", context, status=200 if working else 503)


def _database() -> Part:
    name = _("Database: offers, bookings and the job queue")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Part(name, answers=False, note=_("Nothing can be read or booked until it answers."))
    return Part(name, answers=True, note=_("Answers."))


def _messages() -> Part:
    name = _("Messages: wake-ups and live updates")
    try:
        cache.get("status")
    except (RedisError, OSError):
        return Part(name, answers=False, note=_("Jobs go on with a delay of a few seconds; no job is lost."))
    return Part(name, answers=True, note=_("Answers."))


@require_safe
def documents(request: HttpRequest) -> HttpResponse:
    """The list of the documentation that came with this installation."""
    return render(request, "docs/index.html", {"documents": _documents()})


@require_safe
def document(request: HttpRequest, slug: str) -> HttpResponse:
    """One document as its source text, which reads well as it is."""
    found = next((item for item in _documents() if item.slug == slug), None)
    if found is None:
        raise Http404
    text = (_root() / f"{slug}.md").read_text(encoding="utf-8")
    return render(request, "docs/document.html", {"document": found, "text": text})


def _root() -> Path:
    return Path(settings.BASE_DIR) / "docs"


def _documents() -> list[Document]:
    root = _root()
    files = [path for folder, pattern in FOLDERS for path in sorted((root / folder).glob(pattern))]
    return [Document(path.relative_to(root).with_suffix("").as_posix(), _title(path)) for path in files]


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        heading = next((line for line in lines if line.startswith("# ")), "")
    return heading.removeprefix("# ").strip() or path.stem
