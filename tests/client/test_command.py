"""The command: whole sessions against golden files, exit codes, JSON, dry runs, masked keys, terminals."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from joulemart.cli import run

from . import answers, scene
from .stand_in import CUT, KEY, Answer, Exchange, Seen, StandIn, event, problem

GOLDEN = Path(__file__).parent / "golden"
pytestmark = pytest.mark.usefixtures("session")


def transcript(lines: list[str], capsys: pytest.CaptureFixture[str], url: str) -> str:
    """Each command with what it prints; `!` marks the error stream."""
    parts = []
    for line in lines:
        code = run(shlex.split(line)[1:])
        shown = capsys.readouterr()
        errors = "".join(f"! {row}\n" for row in shown.err.splitlines())
        end = "" if code == 0 else f"[{code}]\n"
        parts.append(f"$ {line}\n{shown.out}{errors}{end}")
    return "\n".join(parts).replace(url, "http://market")


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.txt")))
def test_a_session_prints_what_its_golden_file_says(
    name: str, market: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    path = GOLDEN / f"{name}.txt"
    expected = path.read_text(encoding="utf-8")
    lines = [line.removeprefix("$ ") for line in expected.splitlines() if line.startswith("$ ")]

    printed = transcript(lines, capsys, market.url)

    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(printed, encoding="utf-8")
    assert printed == expected


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(400, "unknown_parameter"), 6),
        (problem(401, "key_revoked"), 3),
        (problem(402, "insufficient_funds"), 7),
        (problem(403, "scope_missing"), 3),
        (problem(403, "spend_limit_reached"), 7),
        (problem(409, "wallet_frozen"), 7),
        (problem(422, "refund_exceeds_payment"), 7),
        (problem(404, "not_found"), 4),
        (problem(409, "capacity_taken", facts={"next_quote": "qte_2"}), 5),
        (problem(410, "quote_expired"), 5),
        (problem(412, "stale_version"), 5),
        (problem(422, "validation_failed"), 6),
        (problem(429, "rate_limited", headers={"Retry-After": "120"}), 8),
        (problem(503, "unavailable"), 8),
        (Answer(b"<html>"), 8),
        (CUT, 8),
    ],
)
def test_a_refused_write_ends_with_its_exit_code(
    market: StandIn, capsys: pytest.CaptureFixture[str], answer: Answer, code: int
) -> None:
    market.on("POST", "/reservations", answer)

    assert run(["reserve", "qte_1", "--yes"]) == code

    shown = capsys.readouterr()
    assert f"[exit {code}]" in shown.err
    assert shown.out == ""


def test_a_failed_job_exits_1_and_a_changed_output_9(market: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    market.on("GET", "/jobs/job_4f21", Answer(answers.ended_job("failed", sentence="It exited with 3.")))
    assert run(["submit", "-f", "job.yaml", "--yes", "--wait"]) == 1
    assert "It exited with 3." in capsys.readouterr().out

    market.on("GET", "/files/token1", Answer(b"changed"))
    assert run(["jobs", "outputs", "job_4f21", "--download", "out"]) == 9
    assert list(Path("out").iterdir()) == []


@pytest.mark.parametrize(("state", "says"), [("failed", "was refused: card_declined"), ("cancelled", "was given up")])
def test_a_topup_that_was_waited_for_and_not_paid_exits_7(
    market: StandIn, capsys: pytest.CaptureFixture[str], state: str, says: str
) -> None:
    ended = answers.topup(state, reason="card_declined" if state == "failed" else None)
    market.on("GET", "/wallet/topups/pay_7K", Answer(ended))

    assert run(["wallet", "topup", "50", "--yes", "--wait"]) == 7

    assert f"pay_7K {says}; nothing was charged" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line",
    [
        "reserve qte_1",
        "submit -f job.yaml",
        "jobs cancel job_4f21",
        "jobs retry job_4f21",
        "jobs raise job_4f21 15",
        "relax job_lost latency-ms=27",
        "reservations cancel rsv_90ab",
        "reservations extend rsv_90ab --hours 2",
        "reservations resize rsv_90ab --units 6",
        "standing place --accelerator H100 --price 2.50 --cap 500",
        "standing cancel sto_5Kq",
        "waits join --accelerator H100",
        "waits leave wai_3Fp",
        "provider offers pause ofr_wuhu_f1",
        "provider reservations give-up rsv_90ab --reason withdrawn",
        "provider meters push job.yaml",
        "wallet topup 50",
        "wallet refund 20",
    ],
)
def test_without_a_terminal_a_write_needs_yes(market: StandIn, capsys: pytest.CaptureFixture[str], line: str) -> None:
    assert run(shlex.split(line)) == 2

    assert "add --yes" in capsys.readouterr().err
    assert [seen for seen in market.seen if seen.method != "GET"] == []


@pytest.mark.parametrize(
    ("line", "deed"),
    [
        ("reserve qte_7Hn2", "would reserve 8 units of H100 PCIe, Tue 10:00–16:00 UTC+8, for $78.87"),
        ("jobs cancel job_4f21", "would cancel job_4f21, which is allocated"),
        ("jobs retry job_4f21", "would submit again job_4f21, which is allocated"),
        ("jobs raise job_4f21 15.5", "would raise the budget of job_4f21, which is allocated, to $15.50"),
        ("relax job_lost latency-ms=27", "would relax job_lost: latency_ms__lte 27"),
        ("reservations cancel rsv_90ab", "would cancel rsv_90ab confirmed  Tue 10:00–16:00 UTC+8  8 units  $78.87"),
        ("provider offers pause ofr_wuhu_f1", "would pause ofr_wuhu_f1, which is live"),
    ],
)
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    market: StandIn, capsys: pytest.CaptureFixture[str], line: str, deed: str
) -> None:
    assert run([*shlex.split(line), "--dry-run"]) == 0

    assert capsys.readouterr().out.startswith(deed)
    assert [seen for seen in market.seen if seen.method != "GET"] == []


def test_a_dry_run_of_a_job_is_planned_by_the_marketplace(market: StandIn) -> None:
    assert run(["submit", "-f", "with_workdir.yaml", "--dry-run"]) == 0

    (write,) = [seen for seen in market.seen if seen.method != "GET"]
    assert (write.path, write.query) == ("/jobs", [("dry_run", "true")])


class Terminal(io.StringIO):
    """Standard input with a person behind it."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_price_is_shown_and_no_changes_nothing(
    market: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\ny\n"))

    assert run(["reserve", "qte_7Hn2"]) == 130
    assert market.asked("POST", "/reservations") == []
    assert "Reserve 8 units of H100 PCIe, Tue 10:00–16:00 UTC+8, for $78.87? [y/N]" in capsys.readouterr().err

    assert run(["reserve", "qte_7Hn2"]) == 0
    assert len(market.asked("POST", "/reservations")) == 1


def test_a_green_promise_is_asked_for_with_the_reservation_and_told(
    market: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    promise = {
        "id": "gpr_1", "promised_percent": 55, "start": "2026-11-24T02:00:00Z", "end": "2026-11-24T08:00:00Z",
        "credit_rate_ppm": 1_000_000, "cap_ppm": 300_000,
    }  # fmt: skip
    market.on("POST", "/reservations", Answer(answers.reservation(green_promise=promise), status=201))

    assert run(["reserve", "qte_7Hn2", "--promise", "60", "--least", "50", "--yes"]) == 0
    assert run(["reserve", "qte_7Hn2", "--promise", "60", "--yes"]) == 0

    asked = [seen.json["promise_green"] for seen in market.asked("POST", "/reservations")]
    assert asked == [{"percent": 60, "least_percent": 50}, {"percent": 60, "least_percent": 60}]
    assert "55 % matched by the hour promised" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [["--least", "50"], ["--promise", "40", "--least", "50"]])
def test_a_least_promise_needs_a_promise_that_is_not_lower(
    market: StandIn, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    assert run(["reserve", "qte_7Hn2", *flags, "--yes"]) == 2
    assert "--least" in capsys.readouterr().err
    assert market.asked("POST", "/reservations") == []


def test_a_reservation_is_extended_at_the_price_that_was_shown(
    market: StandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("n\ny\n"))
    path = "/reservations/rsv_90ab/extend"

    assert run(["reservations", "extend", "rsv_90ab", "--hours", "2"]) == 130
    assert "Add 8 units, Tue 16:00–18:00 UTC+8, for $26.29? [y/N]" in capsys.readouterr().err
    assert run(["reservations", "extend", "rsv_90ab", "--hours", "2"]) == 0

    asked = [(seen.json, seen.query) for seen in market.asked("POST", path)]
    looked, agreed = ({"hours": 2}, [("dry_run", "true")]), ({"hours": 2, "total_minor": 2629}, [])
    assert asked == [looked, looked, agreed]


def test_a_dry_run_of_a_change_is_priced_by_the_marketplace(
    market: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["reservations", "resize", "rsv_90ab", "--units", "6", "--dry-run"]) == 0

    assert capsys.readouterr().out.startswith("would give back 2 units, Tue 11:00–16:00 UTC+8; nothing was changed")
    assert [seen.query for seen in market.seen if seen.method != "GET"] == [[("dry_run", "true")]]


def test_json_is_what_the_api_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(["search", "--json"])
    found = json.loads(capsys.readouterr().out)
    run(["jobs", "show", "job_lost", "--output", "json"])
    job = json.loads(capsys.readouterr().out)

    assert found["data"][0] == answers.offer()
    assert job["unplaced"]["relax"][0]["to"] == 27


def test_json_of_an_error_is_the_problem_with_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", "-f", "bad.yaml", "--yes", "--json"]) == 6

    told = json.loads(capsys.readouterr().err)
    assert (told["code"], told["exit"], told["errors"][0]["line"]) == ("job_file_invalid", 6, 2)


def test_waiting_with_json_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", "-f", "job.yaml", "--yes", "--wait", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["state"] == "succeeded"


def test_explain_prints_each_call_and_never_the_key(market: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    market.on("POST", "/uploads", Answer({"id": "upl_a"}, 201))
    lines = (
        "search --near shanghai",
        "submit -f with_workdir.yaml --yes",
        "me",
        "jobs logs job_4f21 -f",
        "jobs outputs job_4f21 --download out",
    )
    for line in lines:
        run([*shlex.split(line), "--explain"])
    shown = capsys.readouterr()

    assert "Authorization: Bearer jm_test_****" in shown.err
    for call in ("offers?near=shanghai", "uploads", "jobs", "me", "jobs/job_4f21/logs?follow=1"):
        assert f"/api/v1/{call}" in shown.err
    assert "/files/****" in shown.err
    assert KEY.removeprefix("jm_test_") not in shown.err + shown.out


def test_filter_flags_become_query_names_and_money_minor_units(market: StandIn) -> None:
    flags = "--price 2.00 --total 90 --renewable-share 0.8 --latency-ms 40 --carbon-g-per-kwh 0 --free 3"
    run(shlex.split(f"search {flags} --start 2026-11-25T10:00 --region cn-east --region cn-north --w-price 0"))

    (asked,) = market.asked("GET", "/offers")
    assert asked.query == [
        ("start__gte", "2026-11-25T02:00:00Z"),
        ("latency_ms__lte", "40"),
        ("region", "cn-east"),
        ("region", "cn-north"),
        ("price__lte", "200"),
        ("total__lte", "9000"),
        ("renewable_share__gte", "0.8"),
        ("carbon_g_per_kwh__lte", "0"),
        ("free__gte", "3"),
        ("w_price", "0"),
        ("limit", "20"),
    ]


def test_relaxing_sends_limits_by_query_name(market: StandIn) -> None:
    assert run(["relax", "job_lost", "latency-ms=27", "price=1.64", "region=none", "carbon_cap_g=5", "--yes"]) == 0

    (asked,) = market.asked("POST", "/jobs/job_lost/relax")
    assert asked.json == {"limits": {"latency_ms__lte": 27, "price__lte": 164, "region": None, "carbon_cap_g": 5}}


def test_raising_a_budget_sends_minor_units(market: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    market.on("POST", "/jobs/job_4f21/raise", Answer(answers.job(budget_stop=True)))

    assert run(["jobs", "raise", "job_4f21", "15.50", "--yes"]) == 0

    (asked,) = market.asked("POST", "/jobs/job_4f21/raise")
    assert asked.json == {"max_total": 1550}
    assert "job_4f21" in capsys.readouterr().out
    assert run(["jobs", "raise", "job_4f21", "much", "--yes"]) == 2


def test_a_limit_counts_over_pages(market: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [answers.offer(f"ofr_{number}") for number in range(3)]
    market.on("GET", "/offers", *(Answer(answers.page([row], has_more=True)) for row in rows))

    run(["search", "--limit", "2", "--quiet"])

    assert capsys.readouterr().out == "ofr_0\nofr_1\n"


def test_a_job_file_can_come_from_standard_input(market: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("job.yaml").open() as file:
        monkeypatch.setattr("sys.stdin", file)
        assert run(["submit", "-f", "-", "--yes"]) == 0

    assert market.asked("POST", "/jobs")[0].json == {"file": answers.JOB_FILE}


def test_outputs_are_stored_after_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["submit", "-f", "job.yaml", "--yes", "--download", "out"]) == 0

    assert Path("out/factors.txt").read_bytes() == answers.FACTORS
    assert "SHA-256 verified" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    assert run(["completion", shell]) == 0
    assert "_JOULEMART_COMPLETE" in capsys.readouterr().out


def test_ctrl_c_while_waiting_exits_130_and_says_the_job_goes_on(market: StandIn) -> None:
    def endless(exchange: Exchange, seen: Seen) -> None:
        exchange.begin_stream()
        exchange.wfile.write(event("state", {"state": "running", "version": 4}))
        exchange.wfile.flush()
        exchange.rfile.read(1)  # until the client goes away

    market.on("GET", "/jobs/job_4f21/logs", endless)
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # background jobs ignore it
    command = [sys.executable, "-c", f"{heeds}; from joulemart.cli import main; main()"]
    with subprocess.Popen(
        [*command, "submit", "-f", "job.yaml", "--yes", "--wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = b""
        while not seen.endswith(b"running"):
            seen += process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read().decode()

    assert process.returncode == 130
    assert "job_4f21 goes on" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(("reason", "shown"), [("succeeded", "< $0.01"), ("lease_lost", "$0.00")])
def test_a_cost_under_a_cent_is_not_told_to_be_nothing(
    market: StandIn, capsys: pytest.CaptureFixture[str], reason: str, shown: str
) -> None:
    tries = [{"id": "att_1", "number": 1, "reason": reason, "started_at": "2026-11-24T02:00:00Z"}]
    cheap = answers.ended_job(cost={"to_date_minor": 0, "ceiling_minor": 9000}, attempts=tries)
    market.on("GET", "/jobs/job_4f21", Answer(cheap))

    assert run(["jobs", "show", "job_4f21"]) == 0

    assert f"  {shown}" in capsys.readouterr().out


def test_there_is_no_colour_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("search", "explain job_4f21", "submit -f bad.yaml --yes", "jobs show job_lost"):
        run(shlex.split(line))

    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err


def test_a_cost_file_is_stored_whole_or_not_at_all(market: StandIn) -> None:
    Path("costs.csv").write_text("last month's")
    market.on("GET", "/usage", problem(403, "scope_missing"))
    assert run(["usage", "focus", "--to", "costs.csv"]) == 3
    assert [path.name for path in Path().glob("*costs*")] == ["costs.csv"]
    assert Path("costs.csv").read_text() == "last month's"

    scene.set_up(market)
    assert run(["usage", "focus", "--to", "costs.csv"]) == 0
    assert Path("costs.csv").read_bytes() == scene.FOCUS
