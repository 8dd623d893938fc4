"""Two to four offers side by side, over one window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from frontend.components.formats import (
    carbon_mass,
    cost,
    duration,
    intensity,
    latency,
    percent_down,
    percent_exact,
    whole_hours,
)
from frontend.components.formats import rate as rate_text
from frontend.components.formats import window as window_text
from frontend.store.billwords import bill_lines
from frontend.store.limitwords import refusal
from frontend.store.offers import on_view
from frontend.store.question import locality_of, moment_in, place_name, timezone_of
from frontend.store.shelfview import offer_href
from frontend.store.shelfwords import evidence, named
from marketplace.catalog.models import Offer, Place
from marketplace.common.clock import hour_floor, utc_now
from scheduler.search import Need, Row, search

MOST = 4
LEAST = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One offer beside the others; `row` is None when it cannot serve the window."""

    offer: Offer
    row: Row | None
    why_not: str = ""


@require_safe
def compare_page(request: HttpRequest) -> HttpResponse:
    """The offers named in the address for the need named there; fewer than two ask to choose more."""
    now = utc_now()
    wanted = list(dict.fromkeys(request.GET.getlist("offer")))[:MOST]
    found = {offer.public_id: offer for offer in on_view(request).filter(public_id__in=wanted)}
    offers = [found[each] for each in wanted if each in found]
    place = Place.objects.filter(slug=request.GET.get("near", "")).first()
    need = Need(
        units=_whole(request.GET.get("units", ""), 1, 100_000), hours=_whole(request.GET.get("hours", ""), 1, 168),
        near=place.slug if place else None,
    )  # fmt: skip
    start = moment_in(request.GET.get("start", ""))
    columns = _columns(offers, need, start, now) if len(offers) >= LEAST else []
    return render(request, "store/compare.html", _context(columns, offers, need, place))


def _whole(text: str, default: int, most: int) -> int:
    return min(most, max(1, int(text))) if text.isdigit() and len(text) < 9 else default


def _columns(offers: Sequence[Offer], need: Need, start: datetime | None, now: datetime) -> list[Column]:
    """Every offer over one window: the start asked for, else the best start of the best of them."""
    start = hour_floor(start) if start and hour_floor(start) > now else None
    if start is None:
        best = [row for row in _rows(offers, need, now).values() if row]
        start = min(best, key=lambda row: row.ranked.z).start if best else None
    if start is not None and start > now and start == hour_floor(start):
        need = replace(need, start=start)
    else:
        need = replace(need, when="now")
    rows = _rows(offers, need, now)
    return [Column(offer, rows[offer.public_id], "" if rows[offer.public_id] else _why_not(offer, need, now))
            for offer in offers]  # fmt: skip


def _rows(offers: Sequence[Offer], need: Need, now: datetime) -> dict[str, Row | None]:
    """The row of each offer for `need`; one search for each family among them."""
    rows: dict[str, Row | None] = dict.fromkeys(offer.public_id for offer in offers)
    for family in sorted({offer.hardware.family for offer in offers}):
        ids = [offer.public_id for offer in offers if offer.hardware.family == family]
        result = search(need=replace(need, limits={"offer": ids, "family": [family]}), now=now)
        rows |= {row.offer.public_id: row for row in result.rows}
    return rows


def _why_not(offer: Offer, need: Need, now: datetime) -> str:
    limits = {"offer": [offer.public_id], "family": [offer.hardware.family]}
    result = search(need=replace(need, limits=limits), now=now)
    return refusal(
        next((sorted(codes) for facts, codes in result.refused if facts.id == offer.public_id), ["capacity"])
    )


def _context(columns: Sequence[Column], offers: Sequence[Offer], need: Need, place: Place | None) -> dict[str, Any]:
    shown = next((column.row for column in columns if column.row), None)
    zone = timezone_of(place)
    asked = {"units": str(need.units), "hours": str(need.hours)} | ({"near": need.near} if need.near else {})
    return {
        "columns": [
            {
                "offer": column.offer,
                "why_not": column.why_not,
                "place": locality_of(column.offer.site),
                "href": offer_href(column.offer.public_id, asked, column.row.start if column.row else None),
            }
            for column in columns
        ],
        "chosen": offers,
        "need": need,
        "near": place_name(place),
        "window": window_text(shown.start, shown.end, zone) if shown else "",
        "zone": zone,
        "groups": _groups(columns) if columns else [],
        "length": whole_hours(need.hours),
        "store_href": f"{reverse('store')}?units={need.units}&hours={need.hours}"
        + (f"&near={need.near}" if need.near else ""),
    }


Cell = Callable[[Column], str]


def _groups(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Rows in groups; the best figure of a row is marked where there is a best."""
    return [
        {"name": _("Price"), "rows": [*_price_rows(columns), *_bill_rows(columns)]},
        {"name": _("Energy"), "rows": _energy_rows(columns)},
        {"name": _("Hardware"), "rows": [_said(name, columns, cell) for name, cell in _hardware().items()]},
        {"name": _("Terms"), "rows": [_said(name, columns, cell) for name, cell in _terms().items()]},
    ]


def _said(name: str, columns: Sequence[Column], cell: Cell) -> dict[str, Any]:
    return {"name": name, "cells": [{"text": cell(column) or "—"} for column in columns]}


def _measured(
    name: str, columns: Sequence[Column], value: Callable[[Row], int | None], text: Callable[[Column, int], str],
    *, most: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A row of figures; `most` when more is better."""
    values = [value(column.row) if column.row else None for column in columns]
    known = [each for each in values if each is not None]
    best = (max(known) if most else min(known)) if known else None
    texts = [text(column, each) if each is not None else "—" for column, each in zip(columns, values, strict=True)]
    winners = {shown for shown, each in zip(texts, values, strict=True) if each is not None and each == best}
    differ = len({shown for shown, each in zip(texts, values, strict=True) if each is not None}) > 1
    return {"name": name, "cells": [{"text": shown, "best": differ and shown in winners} for shown in texts]}


def _price_rows(columns: Sequence[Column]) -> list[dict[str, Any]]:
    def per_hour(column: Column, mm: int) -> str:
        return rate_text(mm, column.offer.currency)

    return [
        _measured(_("Total, all-in"), columns, lambda row: row.total_minor, lambda c, v: cost(v, c.offer.currency)),
        _measured(_("Unit-hour"), columns, lambda row: row.ranked.price_mm, per_hour),
        _measured(_("PFLOP-hour"), columns, lambda row: row.pflop_hour_mm, per_hour),
    ]


def _bill_rows(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The lines of the bill, each offer's amount under its name."""
    bills = [
        {line["name"]: line["amount_minor"] for line in bill_lines([each.as_dict() for each in column.row.price_lines])}
        if column.row
        else {}
        for column in columns
    ]
    names = list(dict.fromkeys(name for bill in bills for name in bill))
    return [
        {
            "name": name,
            "minor": True,
            "cells": [
                {"text": cost(bill[name], column.offer.currency) if name in bill else "—"}
                for bill, column in zip(bills, columns, strict=True)
            ],
        }
        for name in names
    ]


def _energy_rows(columns: Sequence[Column]) -> list[dict[str, Any]]:
    return [
        _measured(_("Renewable, with the grid's share"), columns, lambda row: row.ranked.share_ppm,
                  lambda _c, v: percent_down(v), most=True),
        _measured(_("Renewable, matched by the hour"), columns, lambda row: row.shares.matched,
                  lambda _c, v: percent_down(v), most=True),
        _measured(_("Carbon intensity"), columns, lambda row: row.ranked.ci_mg, lambda _c, v: intensity(v)),
        _measured(_("Carbon of the run"), columns, lambda row: row.carbon_g, lambda _c, v: carbon_mass(v)),
        _said(_("Evidence"), columns, lambda column: evidence()[column.offer.evidence]),
        _measured(_("Latency"), columns, lambda row: row.ranked.latency_ms, lambda _c, v: latency(v)),
        _measured(_("Fit"), columns, lambda row: row.ranked.fit.total, lambda _c, v: f"{v / 10:.0f}", most=True),
    ]  # fmt: skip


def _hardware() -> dict[str, Cell]:
    return {
        _("Model"): lambda column: f"{column.offer.hardware.vendor} {column.offer.hardware.accelerator}",
        _("Memory"): lambda column: f"{column.offer.hardware.memory_gb} GB" if column.offer.hardware.memory_gb else "",
        _("Rated speed"): lambda column: f"{column.offer.hardware.pf_milli / 1000:g} PFLOPS",
        _("Interconnect"): lambda column: column.offer.hardware.interconnect,
        _("Units offered"): lambda column: f"{column.offer.units:,}",
    }


def _terms() -> dict[str, Cell]:
    return {
        _("Tier"): lambda column: named("tier", column.offer.tier),
        _("How you buy"): lambda column: named("term", column.offer.term),
        _("Notice"): lambda column: duration(column.offer.notice_s),
        _("Start-up"): lambda column: duration(column.offer.boot_s),
        _("Reliability"): lambda column: (
            percent_exact(column.offer.reliability_ppm) if column.offer.reliability_ppm is not None else ""
        ),
        _("Grid zone"): lambda column: column.offer.site.zone.code,
    }
