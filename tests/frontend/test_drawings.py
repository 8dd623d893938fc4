"""Drawings carry their numbers as text, never a style attribute, and lie where the figures say."""

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend.components.calendar import CalendarHour, calendar
from frontend.components.price_carbon import Point, efficient, price_carbon
from frontend.components.ribbon import RibbonHour, ribbon
from frontend.components.sparkline import carbon_bars, fit_bar, hour_strip, progress, trend
from frontend.components.stacks import Series, stacks
from frontend.components.svg import element
from frontend.components.winner_map import Winner, place, winner_map

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def parsed(svg):
    tree = ElementTree.fromstring(svg)
    assert all("style" not in node.attrib for node in tree.iter())
    return tree


def ribbon_hours(count=48):
    return [RibbonHour(MONDAY + HOUR * k, 10_000 * k, 20_000 * k, 160_000 + 1000 * k) for k in range(count)]


def week(free=lambda k: 8):
    return [
        CalendarHour(MONDAY + HOUR * k, 160_000 + 1000 * (k % 24), 20_000 * (k % 24), 900_000, free(k))
        for k in range(168)
    ]


def test_text_from_outside_is_escaped():
    assert element("text", "<b>&", fill='"') == '<text fill="&quot;">&lt;b&gt;&amp;</text>'


def test_the_ribbon_has_a_bar_per_hour_coloured_by_carbon_and_the_same_figures_as_rows():
    chart = ribbon(ribbon_hours(), window=(MONDAY + 2 * HOUR, MONDAY + 8 * HOUR))

    bars = [n for n in parsed(chart.svg).iter("rect") if n.get("class", "").startswith("sw-c")]
    assert len(bars) == len(chart.rows) == 48
    assert bars[0].get("class") == "sw-c1"
    assert bars[47].get("class") == "sw-c7"
    assert chart.rows[2] == ("Mon 02:00", "$1.62", "20 g/kWh", "4%")
    assert "from $1.60 to $2.07 /PFLOP-h" in chart.caption


def test_hours_after_the_deadline_are_dimmed():
    chart = ribbon(ribbon_hours(), finish_by=MONDAY + 24 * HOUR)

    dim = [n for n in parsed(chart.svg).iter("rect") if n.get("class", "").endswith(" dim")]
    assert len(dim) == 24
    assert "finish by Tue 00:00" in chart.svg


def test_no_edge_of_the_window_cuts_through_an_hour_under_the_ribbon():
    hours = [RibbonHour(MONDAY + k * HOUR, 100_000, 500_000, 150_000) for k in range(48)]

    drawn = parsed(ribbon(hours, window=(MONDAY + 12 * HOUR, MONDAY + 18 * HOUR)).svg)

    labels = [node.text for node in drawn.iter() if node.tag.endswith("text")]
    assert [each for each in labels if each.endswith(":00") or each == "Tue"] == [
        "Mon 00:00", "06:00", "Tue", "06:00", "12:00", "18:00"
    ]  # fmt: skip


def test_a_ribbon_without_hours_is_refused():
    with pytest.raises(ValueError, match="at least one hour"):
        ribbon([])


def test_the_calendar_marks_the_window_what_is_sold_and_what_is_past():
    shown = calendar(
        week(free=lambda k: 0 if k == 30 else 8),
        now=MONDAY + 3 * HOUR,
        href=lambda at: f"?start={at:%dT%H}",
        units=2,
        window=(MONDAY + 26 * HOUR, MONDAY + 28 * HOUR),
    )

    monday, tuesday = shown.days[0].cells, shown.days[1].cells
    assert "past" in monday[2].classes and monday[2].href == ""
    assert monday[3].href == "?start=23T03"
    assert "sold" in tuesday[6].classes and tuesday[6].href == "" and "sold, 0 free" in tuesday[6].text
    assert tuesday[2].classes.split()[-4:] == ["w", "ws", "ws-n", "we-n"] and tuesday[2].current
    assert tuesday[3].classes.split()[-4:] == ["w", "we", "ws-n", "we-n"] and not tuesday[3].current
    assert tuesday[1].text == "Tue 01:00: $1.61, 20 g/kWh, 90% renewable, 8 free"


def test_the_calendar_puts_hours_into_the_days_of_the_site_and_leaves_missing_hours_empty():
    shown = calendar(week(), now=MONDAY, href=lambda at: "#", zone="Asia/Shanghai")

    assert len(shown.days) == 8
    assert [cell.classes for cell in shown.days[0].cells[:8]] == ["none"] * 8
    assert shown.days[0].cells[8].start == MONDAY


def test_an_empty_calendar_has_no_days():
    assert calendar([], now=MONDAY, href=lambda at: "#").days == ()


def test_prices_spread_over_all_six_steps():
    shown = calendar(week(), now=MONDAY, href=lambda at: "#")

    assert {cell.classes.split()[1] for cell in shown.days[0].cells} == {f"p{step}" for step in range(1, 7)}


def test_corners_of_the_map_are_pure_weights_and_its_rows_name_the_shares():
    whole = Winner("A", 1, "Only", ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    chart = winner_map([whole], (40, 20, 40))

    assert place((1, 0, 0)) == (10, 184)
    assert chart.rows == (("A", "Only", "100%"),)
    assert "price 40%, latency 20%, green 40%" in chart.caption
    knob = next(n for n in parsed(chart.svg).iter("circle"))
    assert (float(knob.get("cx")), float(knob.get("cy"))) == pytest.approx(place((0.4, 0.2, 0.4)))


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)), min_size=1, max_size=30))
def test_no_offer_beats_one_on_the_line_and_every_other_is_beaten(pairs):
    offers = [Point(str(n), 1, "x", price, carbon) for n, (price, carbon) in enumerate(pairs)]
    line = efficient(offers)

    def beaten(a):
        return any(
            (b.pflop_hour_mm, b.carbon_mg) != (a.pflop_hour_mm, a.carbon_mg)
            and b.pflop_hour_mm <= a.pflop_hour_mm
            and b.carbon_mg <= a.carbon_mg
            for b in offers
        )

    assert not any(beaten(offer) for offer in line)
    on_line = {(offer.pflop_hour_mm, offer.carbon_mg) for offer in line}
    assert all(beaten(offer) or (offer.pflop_hour_mm, offer.carbon_mg) in on_line for offer in offers)
    parsed(price_carbon(offers).svg)


def test_a_strip_frames_the_window_and_says_its_mean():
    svg = hour_strip([10_000] * 12 + [90_000] * 12, start=MONDAY, window=(MONDAY + 12 * HOUR, MONDAY + 18 * HOUR))

    tree = parsed(svg)
    frame = next(n for n in tree.iter("rect") if n.get("class") == "window")
    assert (frame.get("x"), frame.get("width")) == ("12", "6")
    assert "averages 90 grams" in tree.get("aria-label")


def test_small_drawings_say_their_numbers_and_survive_nothing():
    assert "Fit 77 of 100: price 24, latency 16, green 37" in fit_bar(price=24.5, latency=15.6, green=37.2, total=77.3)
    assert 'width="100"' in progress(7, label="all")
    for svg in (carbon_bars([]), trend([], label="none"), hour_strip([], start=MONDAY, window=(MONDAY, MONDAY))):
        parsed(svg)


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (0.13, ["0", "0.033", "0.065", "0.098", "0.13"]),
        (0.004, ["0", "0.001", "0.002", "0.003", "0.004"]),
        (10, ["0", "2.5", "5", "7.5", "10"]),
        (4_000, ["0", "1000", "2000", "3000", "4000"]),
        (2, ["0", "1", "2"]),
    ],
)
def test_the_lines_of_a_scale_are_told_apart_however_small_it_is(highest, labels):
    chart = stacks([MONDAY], [Series("a", "c2", (highest,))], caption="c", hour_header="Hour")

    shown = [node.text for node in parsed(chart.svg).iter("text") if node.get("text-anchor") == "end"]
    assert shown == labels


def test_stacked_hours_stand_on_each_other():
    hours = [MONDAY, MONDAY + HOUR]
    chart = stacks(
        hours, [Series("a", "c2", (1, 2)), Series("b", "c7", (3, 0))], caption="c", hour_header="Hour", height=142
    )

    lower, upper, second = (n for n in parsed(chart.svg).iter("rect") if "sw-" in n.get("class", ""))
    assert float(upper.get("y")) + float(upper.get("height")) < float(lower.get("y"))
    assert second.get("class") == "sw-c2"
    assert chart.rows == (("Mon 00:00", "1", "3"), ("Mon 01:00", "2", "0"))
