"""The supermarket's front page: the sentence, when to start, what matters, the filters, and the offers that fit."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from frontend.store import shelffilters, shelfview
from frontend.store.question import WHENS, Question, is_filter, place_name, read
from marketplace.common.clock import utc_now
from scheduler.search import SearchResult, facets, search

ROWS = 8


@require_safe
def storefront(request: HttpRequest) -> HttpResponse:
    """The whole page, or for a script that changes the shelf in place only the shelf."""
    question = read(request.GET)
    now = utc_now()
    result = search(need=question.need, now=now, sort=question.sort)
    partial = "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers
    context = _context(question, result, now)
    status = 400 if question.problems and not partial else 200
    response = render(request, "store/shelf.html" if partial else "store/search.html", context, status=status)
    if partial:
        response["HX-Push-Url"] = f"/{question.link(page=question.query.get('page'))}".replace("//", "/")
    patch_vary_headers(response, ["HX-Request"])
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _context(question: Question, result: SearchResult, now: datetime) -> dict[str, Any]:
    counts = facets(result)
    return {
        "question": question,
        "need": question.need,
        "near": place_name(question.place),
        "sentence": shelffilters.sentence(question, counts, now),
        "command": shelffilters.command(question, result.currency),
        "job_href": _job_href(question),
        "filters": shelffilters.filters(question, result, counts),
        "chips": shelffilters.chips(question, result.currency),
        "clear": question.link(**dict.fromkeys(name for name in question.query if is_filter(name))),
        "as_of": now,
        **_weighing(question, result, now),
        **_listing(question, result, now),
    }


def _weighing(question: Question, result: SearchResult, now: datetime) -> dict[str, Any]:
    """When to start, and what matters."""
    links = {when: question.link(when=when) for when in WHENS}
    return {
        "ribbon": shelfview.ribbon_of(result, question, now),
        "starts": shelfview.starts_of(result, current=question.need.when, links=links, zone=question.zone),
        "map": shelfview.map_of(result),
        "presets": shelffilters.presets(question),
        "weights": dict(zip(("price", "latency", "green"), question.need.weights, strict=True)),
        "override": _override(question),
    }


def _listing(question: Question, result: SearchResult, now: datetime) -> dict[str, Any]:
    """One page of rows or the drawing of all; where nothing fits, the ways out."""
    last = max(1, -(-len(result.rows) // ROWS))
    page = min(question.page, last)
    is_map = question.view == "map" and bool(result.rows)
    shown = [] if is_map else result.rows[(page - 1) * ROWS : page * ROWS]
    return {
        "count": len(result.rows),
        "sorts": shelffilters.sorts(question),
        "views": _views(question),
        "rows": shelfview.rows_of(result, shown, question, now),
        "scatter": shelfview.scatter_of(result) if is_map else None,
        "unbeaten": shelfview.unbeaten_of(result, question) if is_map else [],
        "pages": _pages(question, page, last),
        "ways_out": [] if result.rows else shelffilters.ways_out(question, result, now),
    }


def _override(question: Question) -> dict[str, str] | None:
    """Cheapest and greenest set weights of their own: say so beside the sliders."""
    words = {
        "cheapest": _("“Cheapest” ranks by price alone."),
        "greenest": _("“Greenest” ranks almost by renewable share alone."),
    }
    text = words.get(question.need.when)
    return {"text": text, "href": question.link(when=None)} if text else None


def _views(question: Question) -> list[dict[str, Any]]:
    names = {"list": _("List"), "map": _("Price × carbon")}
    return [
        {"key": key, "name": name, "href": question.link(view=key), "current": key == question.view}
        for key, name in names.items()
    ]


def _pages(question: Question, page: int, last: int) -> dict[str, Any]:
    return {
        "page": page,
        "last": last,
        "before": question.link(page=page - 1) if page > 1 else "",
        "after": question.link(page=page + 1) if page < last else "",
    }


def _job_href(question: Question) -> str:
    """The page that submits a job, filled with the same need."""
    names = ("units", "hours", "near", "accelerator", "latency_ms__lte", "renewable_share__gte", "when")
    kept = {name: None for name in question.query if name not in names}
    return f"/jobs/new/{question.link(**kept).removeprefix('/')}"
