"""Figures for the style page: one of everything, so that a change of look is seen in one place."""

from datetime import UTC, datetime, timedelta
from math import pi, sin
from typing import Any

from django.utils.translation import gettext as _

from frontend.components.calendar import Calendar, CalendarHour, calendar
from frontend.components.formats import window as window_text
from frontend.components.price_carbon import Point, price_carbon
from frontend.components.ribbon import RibbonHour, ribbon
from frontend.components.stacks import Series, stacks
from frontend.components.svg import Chart
from frontend.components.winner_map import Winner, winner_map

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
START = datetime(2026, 11, 24, 2, tzinfo=UTC)
END = START + 6 * HOUR
ZONE = "Asia/Shanghai"
UNIT_MM = 160_000


def sun(hour: int) -> float:
    """How high the sun stands, 0 to 1, at a UTC hour over UTC+8."""
    local = (hour + 8) % 24
    return max(0.0, sin(pi * (local - 6) / 12))


def carbon(hour: int) -> int:
    """Intensity of the specimen site in mg/kWh."""
    return int(20_000 + 560_000 * (1 - sun(hour)) ** 1.5)


def price(hour: int) -> int:
    """Price of the specimen offer in thousandths of a minor unit per hour."""
    return round(UNIT_MM * (1.12 - 0.2 * sun(hour)))


def renewable(hour: int) -> int:
    """Renewable share of the specimen site in ppm."""
    return round(1e6 * (0.22 + 0.75 * sun(hour)))


def charts() -> dict[str, Chart]:
    """Every drawing."""
    hours = [NOW + HOUR * k for k in range(48)]
    return {
        "ribbon": ribbon(
            [RibbonHour(at, carbon(at.hour), renewable(at.hour), price(at.hour)) for at in hours],
            zone=ZONE,
            window=(START, END),
            finish_by=END + 2 * HOUR,
        ),
        "map": winner_map(
            [
                Winner("A", 6, "Huaihe Solar Park · H100 PCIe", ((1, 0, 0), (0.4, 0, 0.6), (0.5, 0.5, 0))),
                Winner("B", 7, "Qiantang Edge 12 · L40S", ((0.4, 0, 0.6), (0, 0.4, 0.6), (0, 1, 0), (0.5, 0.5, 0))),
                Winner("C", 12, "Dali Erhai · MI300X", ((0.4, 0, 0.6), (0, 0.4, 0.6), (0, 0, 1))),
            ],
            (0.4, 0.2, 0.4),
        ),
        "scatter": price_carbon(
            [
                Point("A", 6, "Huaihe Solar Park", 217_000, 38_000, 128),
                Point("B", 7, "Qiantang Edge 12", 234_000, 52_000, 24),
                Point("C", 12, "Dali Erhai", 193_000, 71_000, 40),
                Point("D", 4, "Taihu Rack 4", 278_000, 260_000, 16),
                Point("E", 5, "Lingang Metro", 289_000, 30_000, 48),
            ]
        ),
        "stacks": unsold(hours),
    }


def unsold(hours: list[datetime]) -> Chart:
    """Booked and unsold units on green and grid power."""
    green = tuple(round(100 * sun(hour.hour)) for hour in hours)
    booked = tuple(60 - index % 9 for index in range(48))
    on_green = tuple(min(pair) for pair in zip(green, booked, strict=True))
    return stacks(
        hours,
        [
            Series(_("Booked, on green power"), "c2", on_green),
            Series(_("Booked, on grid power"), "c7", tuple(max(0, b - g) for b, g in zip(booked, green, strict=True))),
            Series(_("Green and unsold"), "unsold", tuple(max(0, g - b) for b, g in zip(booked, green, strict=True))),
        ],
        caption=_("Next 48 hours: booked units on green power, on grid power, and green capacity that is unsold."),
        hour_header=_("Hour"),
        zone=ZONE,
        window=(18, 23),
    )


def week() -> Calendar:
    """The calendar."""
    first = NOW - 16 * HOUR
    rows = [
        CalendarHour(at, price(at.hour), carbon(at.hour), renewable(at.hour), (index * 7) % 65)
        for index, at in enumerate(first + HOUR * k for k in range(168))
    ]
    return calendar(rows, now=NOW, href=lambda at: f"?start={at:%Y%m%dT%HZ}", units=2, window=(START, END), zone=ZONE)


def offer(letter: str, *, title: str, tint: int) -> dict[str, Any]:
    """One offer row as pages pass it: the API's offer with the page's own additions."""
    return {
        "id": f"ofr_{letter.lower()}1",
        "title": title,
        "tint": tint,
        "place": _("Wuhu, Anhui"),
        "provider": {"id": "org_1", "name": "Wuhu Sunfield"},
        "sample": True,
        "currency": "USD",
        "pills": [
            {"text": _("Interruptible"), "tone": ""},
            {"text": "99.88%", "tone": ""},
        ],
        "strip": {
            "title": window_text(START - 8 * HOUR, START + 16 * HOUR, ZONE),
            "start": START - 8 * HOUR,
            "carbon": [carbon((START.hour - 8 + k) % 24) for k in range(24)],
        },
        "match": {
            "letter": letter,
            "start": START,
            "end": END,
            "unit_price_mm": UNIT_MM,
            "total_minor": 7680,
            "pflop_hour_mm": 212_000,
            "renewable_share_ppm": 919_999,
            "carbon_mg_per_kwh": 64_200,
            "carbon_g": 2150,
            "latency_ms": 7,
            "fit": {"price": 24.5, "latency": 15.6, "green": 37.2, "total": 77.3},
            "sentence": _("Under the median price per PFLOP-hour; 12 points greener; 20 ms nearer."),
        },
    }


def facts() -> dict[str, Any]:
    """The energy label."""
    return {
        "per": _("One GPU-hour in your window"),
        "window": window_text(START, END, ZONE),
        "carbon_g": 16,
        "energy_wh": 720,
        "carbon_mg_per_kwh": 21_800,
        "matched": "62%",
        "renewable_name": _("Renewable, with the grid's share"),
        "renewable_share_ppm": 982_000,
        "sources": [
            {"kind": "solar", "name": _("Solar"), "percent": 86},
            {"kind": "wind", "name": _("Wind"), "percent": 12},
            {"kind": "grid", "name": _("Grid"), "percent": 2},
        ],
        "pue": "1.14",
        "water": _("not metered"),
        "quality": "sample",
        "note": _("Location-based. Not counted: making the hardware."),
    }


def job() -> dict[str, Any]:
    """A timeline and the events of a job that lost its first agent."""
    return {
        "timeline": [
            {"key": "queued", "name": _("Queued"), "state": "done", "at": NOW},
            {"key": "allocated", "name": _("Allocated"), "state": "done", "at": NOW},
            {"key": "starting", "name": _("Starting"), "state": "done", "at": NOW + timedelta(minutes=1)},
            {"key": "running", "name": _("Running"), "state": "now", "at": NOW + timedelta(minutes=2)},
            {"key": "succeeded", "name": _("Succeeded"), "state": "", "at": None},
        ],
        "steps": [
            {"tone": "bad", "title": _("Attempt 1"), "at": NOW, "text": _("The agent was lost after 41 s.")},
            {"tone": "now", "title": _("Attempt 2"), "at": NOW + timedelta(minutes=2), "text": _("Running elsewhere.")},
        ],
        "log": [("08:02:31", "step 4180/5800  loss 1.862"), ("08:02:39", "checkpoint saved  12.4 GB in 6.1 s")],
    }
