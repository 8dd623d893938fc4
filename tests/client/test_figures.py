"""Figures as people read them."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joulemart.cli import figures
from joulemart.cli.tables import aligned

SHANGHAI = ZoneInfo("Asia/Shanghai")
TUESDAY = datetime(2026, 11, 24, 9, 0, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (7887, "USD", "$78.87"),
        (0, "CNY", "¥0.00"),
        (-10, "USD", "−$0.10"),
        (123_456_789, "EUR", "€1,234,567.89"),
        (500, "JPY", "JPY 500"),
        (1827, "KWD", "KWD 1.827"),
        (500, "XOF", "XOF 500"),
        (500, "CHF", "CHF 5.00"),
        (None, "USD", "–"),
    ],
)
def test_money_has_its_sign_and_the_currencys_decimals(minor: int | None, currency: str, shown: str) -> None:
    assert figures.money(minor, currency) == shown


@pytest.mark.parametrize(
    ("mm", "shown"),
    [(164_313, "$1.64/unit-h"), (164_500, "$1.65/unit-h"), (499, "$0.00/unit-h"), (-21_713, "−$0.22/unit-h")],
)
def test_a_rate_rounds_half_up(mm: int, shown: str) -> None:
    assert figures.rate(mm, "USD", "unit-h") == shown


@pytest.mark.parametrize(("text", "currency", "minor"), [("1.64", "USD", 164), ("2", "USD", 200), ("150", "JPY", 150)])
def test_money_is_read_in_major_units(text: str, currency: str, minor: int) -> None:
    assert figures.minor_units(text, currency) == minor


@pytest.mark.parametrize("text", ["1.234", "-1", "nan", "1e400000", "one", "$2", ""])
def test_money_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an amount|decimals"):
        figures.minor_units(text, "USD")


def test_a_share_rounds_down_and_carbon_up() -> None:
    assert [figures.share(ppm) for ppm in (919_999, 0, 1_000_000, None)] == ["91%", "0%", "100%", "–"]
    assert [figures.carbon(mg) for mg in (64_001, 64_000, 0)] == ["65 g/kWh", "64 g/kWh", "0 g/kWh"]
    assert [figures.co2e(g) for g in (2139, 9_950, 10_001, 0, 3.2, 0.09)] == [
        "2.2 kg CO2e",
        "10.0 kg CO2e",
        "11 kg CO2e",
        "0 g CO2e",
        "4 g CO2e",
        "< 1 g CO2e",
    ]


def test_small_and_large_things_get_fitting_units() -> None:
    assert [figures.energy(wh) for wh in (32_900, 99, 0.42, 2)] == ["32.9 kWh", "99 Wh", "0.4 Wh", "2 Wh"]
    assert [figures.duration(s) for s in (20_520, 725, 4.9, 0)] == ["5 h 42 min", "12 min 5 s", "4 s", "0 s"]
    assert [figures.latency(ms) for ms in (7, 999, 1200, None)] == ["7 ms", "999 ms", "1.2 s", "–"]
    assert [figures.size(count) for count in (999, 1500, 64_000_000)] == ["999 B", "1.5 kB", "64.0 MB"]


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Shanghai", "Tue 22:00–Wed 04:00 UTC+8"),
        ("Asia/Kolkata", "Tue 19:30–Wed 01:30 UTC+5:30"),
        ("America/New_York", "Tue 09:00–15:00 UTC−5"),
        ("UTC", "Tue 14:00–20:00 UTC"),
    ],
)
def test_times_are_local_with_their_offset(zone: str, shown: str) -> None:
    start = datetime(2026, 11, 24, 22, 0, tzinfo=SHANGHAI)

    with time_machine.travel(TUESDAY.astimezone(ZoneInfo(zone))):
        assert figures.window(start, start + timedelta(hours=6), TUESDAY) == shown


def test_a_time_beyond_the_coming_week_has_its_date() -> None:
    with time_machine.travel(TUESDAY):
        assert figures.when(TUESDAY + timedelta(days=6), TUESDAY) == "Mon 09:00 UTC+8"
        assert figures.when(TUESDAY + timedelta(days=7), TUESDAY) == "2026-12-01 09:00 UTC+8"
        assert figures.when(TUESDAY - timedelta(days=1), TUESDAY) == "2026-11-23 09:00 UTC+8"


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(-1_000_000, 1_000_000), min_size=1, max_size=6))
def test_shown_parts_add_up_to_the_shown_total(values: list[int]) -> None:
    total = sum(values)
    shown = figures.shown_parts(values, total, 1000)

    assert figures.rate(sum(shown) * 1000, "USD") == figures.rate(total, "USD")
    assert all(abs(part - value / 1000) <= 1 for part, value in zip(shown, values, strict=True))


def test_parts_that_do_not_make_the_total_are_not_bent_to_it() -> None:
    assert figures.shown_parts([1000, 2000], 9000, 1000) == [1, 2]


def test_columns_stay_aligned_with_chinese_names() -> None:
    assert aligned([["杭州", "1"], ["abcdef", "22"]], [False, True]) == ["杭州     1", "abcdef  22"]
