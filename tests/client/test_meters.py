"""Pushing a file of readings: what was imported, every fault by line and heading, and exit codes a script can use."""

import asyncio
import json
from pathlib import Path

import pytest
from joulemart import AsyncClient, Client, Invalid, MeterImport
from joulemart.cli import run

from .stand_in import KEY, Answer, StandIn, problem

ROWS = b"point,start_utc,minutes,it_wh,total_wh\nhall 1,2026-11-23T00:00Z,60,1000,1140\n"
TAKEN = {
    "object": "import", "kind": "meter", "state": "imported", "rows": 8760, "incomplete_hours": 1, "sha256": "ab" * 32,
    "imported_at": "2026-11-24T01:00:00Z",
}  # fmt: skip
FAULTS = [
    {"line": 3, "column": "it_wh", "code": "bad_number", "detail": "'x' is no whole number", "hint": "write digits"},
    {"line": 7, "column": "minutes", "code": "not_on_grid", "detail": "30 minutes are neither", "hint": "15 or 60"},
]
REFUSED = problem(422, "validation_failed", "120 faults: nothing was imported", errors=FAULTS, facts={"faults": 120})


@pytest.fixture
def readings(session: None) -> Path:
    path = Path("readings.csv")
    path.write_bytes(ROWS)
    return path


def test_a_file_is_sent_as_it_is_and_tells_what_was_imported(
    market: StandIn, readings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market.on("POST", "/meter_readings", Answer(TAKEN, 201))

    assert run(["provider", "meters", "push", "readings.csv", "--yes"]) == 0

    assert capsys.readouterr().out == (
        "8,760 hours imported\n1 hour left out: a quarter is missing, and nothing is filled in\n"
    )
    [asked] = market.asked("POST", "/meter_readings")
    assert ROWS in asked.body
    assert b'filename="readings.csv"' in asked.body


def test_every_fault_is_printed_with_file_line_heading_and_mend_and_the_exit_is_6(
    market: StandIn, readings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market.on("POST", "/meter_readings", REFUSED)

    assert run(["provider", "meters", "push", "readings.csv", "--yes"]) == 6

    assert capsys.readouterr().err.splitlines() == [
        "validation_failed  readings.csv:3  it_wh: bad_number: 'x' is no whole number; write digits",
        "validation_failed  readings.csv:7  minutes: not_on_grid: 30 minutes are neither; 15 or 60  [exit 6]",
        "  … and 118 more",
    ]


def test_programs_read_the_faults_as_json(
    market: StandIn, readings: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    market.on("POST", "/meter_readings", REFUSED)

    assert run(["provider", "meters", "push", "readings.csv", "--yes", "--json"]) == 6

    told = json.loads(capsys.readouterr().err)
    assert (told["facts"], told["exit"], told["errors"]) == ({"faults": 120}, 6, FAULTS)


def test_a_dry_run_is_checked_by_the_marketplace(
    market: StandIn, readings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    market.on("POST", "/meter_readings", Answer(TAKEN | {"rows": 1, "incomplete_hours": 0}))

    assert run(["provider", "meters", "push", "readings.csv", "--dry-run"]) == 0

    assert capsys.readouterr().out == "1 hour would be imported; nothing was stored\n"
    assert market.asked("POST", "/meter_readings")[0].query == [("dry_run", "true")]


def test_without_a_terminal_a_push_needs_yes_and_a_file_that_is_there(
    market: StandIn, readings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["provider", "meters", "push", "readings.csv"]) == 2
    assert "add --yes" in capsys.readouterr().err
    assert run(["provider", "meters", "push", "nowhere.csv", "--yes"]) == 2
    assert "nowhere.csv" in capsys.readouterr().err
    assert market.seen == []


def test_a_program_pushes_a_file_and_reads_each_fault(market: StandIn, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "readings.csv"
    file.write_bytes(ROWS)
    market.on("POST", "/meter_readings", Answer(TAKEN, 201), REFUSED)

    told = client.meters.push(file)
    with pytest.raises(Invalid) as refusal:
        client.meters.push(file)

    assert isinstance(told, MeterImport)
    assert (told.rows, told.incomplete_hours) == (8760, 1)
    assert [(each.line, each.column, each.code) for each in refusal.value.errors] == [
        (3, "it_wh", "bad_number"), (7, "minutes", "not_on_grid")
    ]  # fmt: skip


def test_the_async_client_makes_the_same_call(market: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "readings.csv"
    file.write_bytes(ROWS)
    market.on("POST", "/meter_readings", Answer(TAKEN, 201))

    async def push() -> MeterImport:
        async with AsyncClient(url=market.url, api_key=KEY) as client:
            return await client.meters.push(file, dry_run=True)

    assert asyncio.run(push()).rows == 8760
