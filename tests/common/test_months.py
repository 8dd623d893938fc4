"""Months of UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from marketplace.common.months import Month


def test_a_month_is_half_open_and_of_utc():
    december = Month.of(datetime(2027, 1, 1, 7, 59, tzinfo=timezone(timedelta(hours=8))))

    assert (str(december), december.start, december.end) == (
        "2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    assert Month.of(december.end) == december.next == Month(2027, 1)


def test_a_month_stays_open_for_two_days():
    november = Month(2026, 11)
    assert Month.open_at(november.closes_at - timedelta(seconds=1)) == november
    assert Month.open_at(november.closes_at) == Month(2026, 12)


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "26-11", "2026-11-01", "", "0000-01", "２０２６-11", "2026-11\n"]
)
def test_what_is_no_month_is_not_read_as_one(text):
    assert Month.read(text) is None


def test_a_month_is_read_as_it_is_written():
    assert str(Month.read("2026-11")) == "2026-11"
