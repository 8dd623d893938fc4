"""The shapes of the sample market's prices and free units: pure, and equal in every process."""

import hashlib

HOURS_OF_WEEK = 168
HOURS_OF_DAY = 24
UTC_OFFSET = {"CN": 8, "SG": 8, "DE": 1, "SE": 1, "US": -6}
EVENING = {18: 10, 19: 13, 20: 12, 21: 8, 22: 4}


def weekly_rates(base_mm: int, solar_dip: int, utc_offset: int) -> list[int]:
    """A rate for every UTC hour of the week: dearer in the local evening, cheaper at night and when the sun is up."""
    rates = []
    for hour in range(HOURS_OF_WEEK):
        local = (hour + utc_offset) % HOURS_OF_DAY
        percent = 100 + EVENING.get(local, 0)
        percent -= 5 if local < 6 else 0
        percent -= solar_dip * max(0, 5 - abs(local - 12)) // 5
        percent -= 3 if (hour + utc_offset) // HOURS_OF_DAY % 7 >= 5 else 0
        rates.append(base_mm * percent // 10_000 * 100)
    return rates


def units_on_shelf(offer: str, units: int, day: str) -> list[int]:
    """Units in each UTC hour of `day`: the provider keeps up to a third for itself, less in small offers."""
    hours = []
    for hour in range(HOURS_OF_DAY):
        noise = hashlib.sha256(f"{offer} {day} {hour // 4}".encode()).digest()[0]
        hours.append(units - units * noise // (255 * 3))
    return hours
