"""Meters of a provider: points and plants, what their meters said, and the files and forms that bring both."""

import csv
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Organization
from accounts.tenancy import current_organization
from frontend.console.metercharts import WEEK_HOURS, matched_calendar, parts_of, week_of
from frontend.console.meterforms import PlantForm, PointForm, ShareForm, show_refusal
from frontend.console.meterview import plant_rows, point_rows
from frontend.console.pointnames import names_of, points_of
from frontend.console.uploads import UploadForm, take_file
from frontend.store.access import for_providers
from marketplace.common.clock import HOUR, hour_floor, rfc3339, utc_now
from marketplace.common.errors import ValidationFailed
from marketplace.energy import sources
from marketplace.energy.imports.evidence import METER
from marketplace.energy.models import MeterPoint

NAMES = {"pue_design_ppm": "pue", "capacity_w": "capacity", "efficiency_ppm": "efficiency", "lower_ppm": "lower",
         "upper_ppm": "upper"}  # fmt: skip
ANCHORS = {"point_form": "add-point", "plant_form": "add-plant", "share_form": "add-share", "upload_form": "readings"}


@require_safe
@for_providers
def meters_page(request: HttpRequest) -> HttpResponse:
    """Points, plants and what their meters said; `point` limits the drawings to one."""
    return _show(request, utc_now())


def _show(request: HttpRequest, now: datetime, **found: Any) -> HttpResponse:
    """The page; `found` has the form that was refused, or the report of a file."""
    organization = current_organization(request)
    points = points_of(organization)
    chosen = next((point for point in points if point.code == request.GET.get("point")), None)
    shown = [chosen] if chosen else points
    zone = shown[0].zone.timezone if shown else "UTC"
    here = {"zone": shown[0].zone.code} if shown else {}
    keys, names = [point.pk for point in shown], names_of(points)
    context = {
        "points": point_rows(points, now),
        "plants": plant_rows(organization, names, now),
        "tabs": _tabs(points, names, chosen),
        "chosen": chosen,
        "zone": zone,
        "year": now.year,
        "week": week_of(keys, now, zone),
        "matched": matched_calendar(keys, now, zone),
        "point_form": PointForm(initial=here),
        "plant_form": PlantForm(initial=here),
        "share_form": ShareForm(organization=organization),
        "upload_form": UploadForm(),
        "url": request.build_absolute_uri("/").rstrip("/"),
    } | found
    return render(request, "console/meters.html", context, status=422 if found else 200)


@require_safe
@for_providers
def hours_csv(request: HttpRequest) -> HttpResponse:
    """The hours of the chart as a table to keep, in Wh; `method` says where no meter of the point spoke."""
    end = hour_floor(utc_now())
    points = points_of(current_organization(request))
    chosen = [point.pk for point in points if request.GET.get("point") in (None, "", point.code)]
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="hours.csv"'
    table = csv.writer(answer)
    table.writerow(["start_utc", "used_wh", "made_wh", "used_while_made_wh", "method"])
    for start, parts in parts_of(chosen, end - WEEK_HOURS * HOUR, end).items():
        method = "" if not parts.used else "modelled" if parts.modelled else "metered"
        table.writerow([rfc3339(start), parts.used, parts.wh[0] + parts.wh[2], parts.wh[0], method])
    return answer


def _tabs(points: list[MeterPoint], names: dict[int, str], chosen: MeterPoint | None) -> list[dict[str, Any]]:
    """A tab for each point, and one for all; none where there is one point only."""
    if len(points) < 2:
        return []
    tabs = [{"name": _("All points"), "href": "?", "current": chosen is None}]
    return tabs + [
        {"name": names[each.pk], "href": f"?{urlencode({'point': each.code})}", "current": each == chosen}
        for each in points
    ]


def _make(
    request: HttpRequest, name: str, form: forms.Form, make: Callable[[Organization, datetime], Any], done: str
) -> HttpResponse:
    """Do what a form asks for and say `done`; a form that is wrong, or refused, is shown again with its errors."""
    now = utc_now()
    if form.is_valid():
        try:
            make(current_organization(request), now)
        except ValidationFailed as error:
            show_refusal(form, error, NAMES)
        else:
            messages.success(request, done)
            return HttpResponseRedirect(reverse("console-meters"))
    return _show(request, now, wrong=ANCHORS[name], **{name: form})


@require_POST
@for_providers
def make_point(request: HttpRequest) -> HttpResponse:
    """A new metering point."""
    form = PointForm(request.POST)
    return _make(
        request, "point_form", form,
        lambda mine, now: sources.make_point(organization=mine, now=now, **form.terms()),
        _("The metering point is there. Now send what its meter says."),
    )  # fmt: skip


@require_POST
@for_providers
def make_plant(request: HttpRequest) -> HttpResponse:
    """A new plant, declared until somebody outside the organization has verified it."""
    form = PlantForm(request.POST)
    return _make(
        request, "plant_form", form,
        lambda mine, now: sources.make_source(organization=mine, now=now, **form.terms()),
        _("The plant is there as declared. Let a part of it serve a metering point."),
    )  # fmt: skip


@require_POST
@for_providers
def share_plant(request: HttpRequest) -> HttpResponse:
    """Let a slice of a plant serve a point."""
    form = ShareForm(request.POST, organization=current_organization(request))
    return _make(
        request, "share_form", form, lambda _mine, _now: sources.add_share(**form.terms()),
        _("From then on this part of the plant serves the point."),
    )  # fmt: skip


@require_POST
@for_providers
def send_readings(request: HttpRequest) -> HttpResponse:
    """Import a file of readings; one with a fault imports nothing, and every fault is named."""
    now, form = utc_now(), UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, now, wrong=ANCHORS["upload_form"], upload_form=form)
    mine = current_organization(request)
    told, report = take_file(sent=form.cleaned_data["file"], kind=METER, organization=mine, now=now)
    if report:
        return _show(request, now, report=report)
    messages.success(request, told)
    return HttpResponseRedirect(reverse("console-meters"))
