"""Which sources serve which zones is a setting, and one that cannot work stops the start."""

import os
import subprocess
import sys

import pytest

from config.env import BadSetting
from config.signals import signals
from marketplace.energy.signals.sources import SOURCES, Account, FeedSetting
from tests.architecture.source import ROOT

NAMES = ["SIGNALS", *(f"{name.upper()}_{part}" for name in SOURCES for part in ("BASE", "KEY", "USER"))]


@pytest.fixture
def read(monkeypatch):
    """What the settings of signals are with these variables and no other."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)

    def read_with(**given):
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        return signals()

    return read_with


def test_with_nothing_set_nobody_is_asked(read):
    found = read()

    assert (found.feeds, found.accounts) == ((), {})


def test_zones_are_dealt_out_to_sources_under_the_names_that_they_use(read):
    found = read(
        SIGNALS="entsoe: DE XX=10YXX; uk_carbon:GB ;watttime: US-CAL-CISO GB=UK;", ENTSOE_KEY="k",
        WATTTIME_USER="u", WATTTIME_KEY="p", WATTTIME_BASE="http://127.0.0.1:9/",
    )  # fmt: skip

    assert found.feeds == (
        FeedSetting("entsoe", "DE", "10Y1001A1001A82H"), FeedSetting("entsoe", "XX", "10YXX"),
        FeedSetting("uk_carbon", "GB", "GB"), FeedSetting("watttime", "US-CAL-CISO", "CAISO_NORTH"),
        FeedSetting("watttime", "GB", "UK"),
    )  # fmt: skip
    assert found.accounts == {
        "entsoe": Account(SOURCES["entsoe"].base, key="k"),
        "uk_carbon": Account(SOURCES["uk_carbon"].base),
        "watttime": Account("http://127.0.0.1:9", key="p", user="u"),
    }
    assert "key='p'" not in repr(found)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SIGNALS": "weather: DE"}, "must begin with one of"),
        ({"SIGNALS": "entsoe DE"}, "must begin with one of"),
        ({"SIGNALS": "entsoe:"}, "names no zone"),
        ({"SIGNALS": "entsoe: ATLANTIS"}, "what entsoe calls 'ATLANTIS'"),
        ({"SIGNALS": "uk_carbon: =GB"}, "what uk_carbon calls"),
        ({"SIGNALS": "uk_carbon: GB GB"}, "twice"),
        ({"SIGNALS": "uk_carbon: GB; electricity_maps: GB", "ELECTRICITY_MAPS_KEY": "k"}, "at both uk_carbon and"),
        ({"SIGNALS": "entsoe: DE"}, "needs ENTSOE_KEY"),
        ({"SIGNALS": "watttime: US-CAL-CISO", "WATTTIME_USER": "u"}, "needs WATTTIME_KEY"),
        ({"SIGNALS": "entsoe: DE", "ENTSOE_KEY": "k\nX: y"}, "no header can carry"),
        ({"SIGNALS": "entsoe: DE", "ENTSOE_KEY": "k", "ENTSOE_BASE": "http://example.test"}, "begins with https"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_its_reason(read, given, reason):
    with pytest.raises(BadSetting, match=reason):
        read(**given)


def test_a_bad_setting_stops_the_start_in_one_line():
    environment = {**os.environ, "SIGNALS": "weather: DE"}

    start = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert start.returncode != 0
    assert "SIGNALS has 'weather: DE'" in start.stderr
    assert "Traceback" not in start.stderr
