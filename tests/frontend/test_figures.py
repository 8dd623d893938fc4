"""Figures read the same everywhere: shares round down, carbon rounds up, money is exact."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from frontend.components import formats
from frontend.store.billwords import spent
from frontend.templatetags.joulemart import title_alone, title_told

MORNING = datetime(2026, 11, 24, 2, tzinfo=UTC)
SHANGHAI = "Asia/Shanghai"


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (7887, "USD", "$78.87"),
        (-410, "USD", "−$4.10"),
        (0, "USD", "$0.00"),
        (124000, "JPY", "¥124,000"),
        (1827, "KWD", "KWD 1.827"),
        (5, "VND", "VND 5"),
        (5, "CHF", "CHF 0.05"),
    ],
)
def test_money_is_exact_with_a_true_minus_sign(minor, currency, text):
    assert formats.money(minor, currency) == text


def test_a_price_per_hour_rounds_half_up_to_the_minor_unit():
    assert formats.rate(164_313) == "$1.64"
    assert formats.rate(164_500) == "$1.65"


@pytest.mark.parametrize(
    ("mm", "text"), [(1_500, "$0.0150"), (9_999, "$0.1000"), (10_000, "$0.10"), (5_000, "$0.05"), (-1_234, "−$0.0123"),
                     (4, "< $0.0001"), (0, "$0.00")]
)  # fmt: skip
def test_a_small_price_per_hour_keeps_what_two_decimals_would_lose(mm, text):
    assert formats.rate(mm) == text


def test_what_costs_less_than_the_smallest_coin_does_not_read_as_free():
    assert formats.cost(0) == "< $0.01"
    assert formats.cost(0, "JPY") == "< ¥1"
    assert formats.cost(7887) == "$78.87"


@pytest.mark.parametrize(
    ("started", "reason", "text"),
    [
        (MORNING, "succeeded", "< $0.01"),
        (MORNING, "", "< $0.01"),
        (MORNING, "node_failed", "$0.00"),
        (None, "", "$0.00"),
    ],
)
def test_a_job_costs_nothing_before_it_runs_and_for_time_that_is_not_charged(started, reason, text):
    assert spent(0, "USD", [attempt(started, reason)]) == text
    assert spent(12, "USD", [attempt(started, reason)]) == "$0.12"


@pytest.mark.parametrize(
    ("tier", "ran_s", "text"),
    [("interruptible", 3599, "$0.00"), ("interruptible", 3600, "< $0.01"), ("firm", 7200, "$0.00")],
)
def test_work_that_made_room_costs_from_an_hour_of_running_on_if_it_was_interruptible(tier, ran_s, text):
    assert spent(0, "USD", [attempt(MORNING, "preempted", tier, ran_s)]) == text


def attempt(started, reason, tier="firm", ran_s=5):
    """What the words of a bill look at."""
    ended = MORNING + timedelta(seconds=ran_s) if reason else None
    allocation = SimpleNamespace(offer=SimpleNamespace(tier=tier))
    return SimpleNamespace(started_at=started, ended_at=ended, reason=reason, allocation=allocation)


@pytest.mark.parametrize(
    ("language", "told"), [("en", "Park · H100 · interruptible"), ("zh-hans", "Park · H100 · 可中断")]
)
def test_a_title_tells_its_tier_in_the_readers_language_or_leaves_it_to_the_page(language, told):
    with translation.override(language):
        assert title_told("Park · H100 · interruptible") == told
        assert title_told("Hall North") == "Hall North"
    assert title_alone("Park · H100 · interruptible") == "Park\N{NO-BREAK SPACE}· H100"


def test_a_share_rounds_down_and_carbon_rounds_up():
    assert formats.percent_down(919_999) == "91%"
    assert formats.percent_exact(998_899) == "99.88%"
    assert formats.intensity(64_001) == "65 g/kWh"
    assert formats.intensity(64_000) == "64 g/kWh"


@pytest.mark.parametrize(
    ("grams", "text"),
    [
        (0, "0 g"),
        (0.09, "< 1 g"),
        (1, "1 g"),
        (2.1, "3 g"),
        (99.5, "100 g"),
        (2150, "2.2 kg"),
        (9951, "10 kg"),
        (17_001, "18 kg"),
    ],
)
def test_a_mass_of_carbon_rounds_up_and_keeps_one_decimal_under_ten_kilograms(grams, text):
    assert formats.carbon_mass(grams) == text


def test_energy_counted_whole_reads_whole():
    assert [formats.energy(wh) for wh in (0, 2, 4.25, 99.9, 720)] == ["0 Wh", "2 Wh", "4.2 Wh", "99.9 Wh", "0.72 kWh"]


def test_the_carbon_scale_has_eight_steps_with_closed_upper_bounds():
    assert [formats.carbon_step(g * 1000) for g in (0, 50, 51, 350, 600, 601)] == [1, 1, 2, 5, 7, 8]


def test_a_change_has_a_sign():
    assert formats.change(87, 100) == "−13%"
    assert formats.change(104, 100) == "+4%"
    assert formats.change(100, 100) == "±0%"
    assert formats.change(1, 0) == "—"


def test_latency_turns_to_seconds_from_one_second_up_and_unknown_is_a_dash():
    assert [formats.latency(ms) for ms in (0, 7, 999, 1000, 5400, None)] == [
        "0 ms",
        "7 ms",
        "999 ms",
        "1.0 s",
        "5.4 s",
        "—",
    ]


def test_durations_name_two_units_at_most_in_both_languages():
    assert [formats.duration(s) for s in (0, 41, 125, 20_520, 273_600)] == [
        "0 s",
        "41 s",
        "2 min 5 s",
        "5 h 42 min",
        "3 d 4 h",
    ]
    with translation.override("zh-hans"):
        assert formats.duration(20_520) == "5 小时 42 分钟"


def test_a_window_names_the_second_day_only_when_it_differs():
    hours = timedelta(hours=1)
    assert formats.window(MORNING, MORNING + 6 * hours, SHANGHAI) == "Tue 10:00 – 16:00"
    assert formats.window(MORNING, MORNING + 14 * hours, SHANGHAI) == "Tue 10:00 – 24:00"
    assert formats.window(MORNING, MORNING + 16 * hours, SHANGHAI) == "Tue 10:00 – Wed 02:00"
    with translation.override("zh-hans"):
        assert formats.window(MORNING, MORNING + 6 * hours, SHANGHAI) == "周二 10:00 – 16:00"


def test_an_offset_is_named_even_for_half_hours_and_unknown_zones_are_utc():
    assert formats.offset(MORNING, SHANGHAI) == "UTC+8"
    assert formats.offset(MORNING, "America/St_Johns") == "UTC−3:30"
    assert formats.offset(MORNING, "Nowhere/At_all") == "UTC"


@given(st.lists(st.integers(0, 1_000_000), max_size=8))
def test_parts_always_add_up_to_the_whole(shares):
    parts = formats.parts_down(shares)

    assert sum(parts) == sum(shares) // 10_000
    assert all(share // 10_000 <= part <= share // 10_000 + 1 for part, share in zip(parts, shares, strict=True))
