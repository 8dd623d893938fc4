"""The documentation that came with this installation, as pages."""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

FOLDERS = (("", "*.md"), ("how-to", "*.md"), ("decisions", "*.md"))
START = ("quickstart", "architecture")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//|#", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """One file of the documentation, named by its first heading."""

    slug: str
    title: str


@require_safe
def documents(request: HttpRequest) -> HttpResponse:
    """The list of the documentation, folder by folder."""
    groups = {folder: _documents(folder, pattern) for folder, pattern in FOLDERS}
    names = {"": _("Read first"), "how-to": _("How to"), "decisions": _("Decisions")}
    shown = [{"name": names[folder], "documents": found} for folder, found in groups.items() if found]
    return render(request, "docs/index.html", {"groups": shown})


@require_safe
def document(request: HttpRequest, slug: str) -> HttpResponse:
    """One document as a page."""
    everything = [each for folder, pattern in FOLDERS for each in _documents(folder, pattern)]
    found = next((item for item in everything if item.slug == slug), None)
    if found is None:
        raise Http404
    text = (_root() / f"{slug}.md").read_text(encoding="utf-8")
    return render(request, "docs/document.html", {"document": found, "text": html_of(text, slug)})


def _root() -> Path:
    return Path(settings.BASE_DIR) / "docs"


def _documents(folder: str, pattern: str) -> list[Document]:
    root = _root()
    slugs = [path.relative_to(root).with_suffix("").as_posix() for path in sorted((root / folder).glob(pattern))]
    first = [slug for slug in START if slug in slugs]
    rest = [slug for slug in slugs if slug not in first]
    return [Document(slug, _title(root / f"{slug}.md")) for slug in [*first, *rest]]


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        heading = next((line for line in lines if line.startswith("# ")), "")
    return heading.removeprefix("# ").strip() or path.stem


def html_of(text: str, slug: str) -> SafeString:
    """Markdown as HTML without its first heading, which the page has already; HTML in the text stays text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    for rule in (_table_open, _table_close, _fence, _heading_open, _link_open):
        reader.add_render_rule(rule.__name__.removeprefix("_"), rule)
    body = re.sub(r"\A\s*# .*\n", "", text)
    return SafeString(reader.render(body, {"slug": slug}))


def _table_open(*_of: Any) -> str:
    label = escape(_("Table"))
    return f'<div class="tbl" tabindex="0" role="region" aria-label="{label}"><table>\n'


def _table_close(*_of: Any) -> str:
    return "</table></div>\n"


def _fence(_of: RendererHTML, tokens: Sequence[Token], index: int, *_rest: Any) -> str:
    return f'<pre class="code" tabindex="0">{escape(tokens[index].content)}</pre>\n'


def _heading_open(
    drawn: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, _env: Mapping[str, Any]
) -> str:
    words = re.sub(r"[^\w\s-]", "", tokens[index + 1].content.lower())
    tokens[index].attrSet("id", re.sub(r"\s+", "-", words.strip()))
    return drawn.renderToken(tokens, index, options, {})


def _link_open(
    drawn: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: Mapping[str, Any]
) -> str:
    href = str(tokens[index].attrGet("href") or "")
    tokens[index].attrSet("href", _address(href, env["slug"]))
    return drawn.renderToken(tokens, index, options, {})


def _address(href: str, slug: str) -> str:
    """A link between files of the folder as a link between their pages."""
    if ELSEWHERE.match(href):
        return href
    path, hash_, anchor = href.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(slug), path))
    if not target.endswith(".md") or target.startswith(".."):
        return reverse("documents")
    return reverse("document", args=[target.removesuffix(".md")]) + hash_ + anchor
