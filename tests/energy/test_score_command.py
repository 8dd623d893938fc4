"""The scoring command tells how good the forecast is on any file that can be imported."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from marketplace.energy.signals.base import whole_hours
from marketplace.energy.signals.sample import SampleProvider
from tests.energy.test_import import HEADINGS

START = datetime(2025, 1, 1, tzinfo=UTC)


def a_file(folder: Path, hours: int) -> str:
    end = START + timedelta(hours=hours)
    rows = [
        f"SG,{hour.start:%Y-%m-%dT%H:%MZ},{hour.lifecycle_mg / 1000},{hour.direct_mg / 1000},0,0,0"
        for hour in whole_hours(SampleProvider().points(zone="SG", start=START, end=end))
    ]
    path = folder / "hours.csv"
    path.write_text("\n".join([HEADINGS, *rows]))
    return str(path)


def test_a_zone_is_scored_in_one_line(tmp_path):
    out = io.StringIO()

    call_command("score_forecast", a_file(tmp_path, 367 * 24 + 1611), "--every", "300", stdout=out)

    head, line = out.getvalue().splitlines()
    assert head.split()[0] == "zone"
    zone, *figures = line.split()
    assert zone == "SG"
    assert len(figures) == 8
    assert all(0 <= float(figure.rstrip("%")) <= 100 for figure in figures)


def test_a_zone_with_less_than_a_year_is_named_as_too_short(tmp_path):
    out = io.StringIO()

    call_command("score_forecast", a_file(tmp_path, 100), stdout=out)

    assert "too short" in out.getvalue()


def test_a_faulty_file_is_not_scored(tmp_path):
    path = tmp_path / "hours.csv"
    path.write_text(f"{HEADINGS}\nSG,never,1,1,0,0,0\n")

    with pytest.raises(CommandError, match="1 faults in the file"):
        call_command("score_forecast", str(path), stdout=io.StringIO())
