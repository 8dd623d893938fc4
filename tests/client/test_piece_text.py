"""Work in pieces as the command prints it: in a plan beside the contiguous run, and of a job as it runs."""

from datetime import UTC, datetime

from joulemart.cli.job_text import job_lines, plan_lines
from joulemart.decode import decode
from joulemart.jobs import Job

from tests.client import answers

NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)
FIRST = {"number": 1, "start": "2026-11-24T02:00:00Z", "end": "2026-11-24T04:00:00Z", "total_minor": 400}
SECOND = {"number": 2, "start": "2026-11-24T08:00:00Z", "end": "2026-11-24T10:10:00Z", "total_minor": 450}
WHOLE = {"start": "2026-11-24T01:00:00Z", "end": "2026-11-24T05:00:00Z", "total_minor": 1_600, "carbon_g": 900}


def words(lines):
    return [" ".join(line.split()) for line in lines]


def test_a_plan_lists_the_pieces_their_sum_and_the_contiguous_run():
    told = {
        "pieces": [FIRST | {"carbon_g": 200}, SECOND | {"carbon_g": 210}], "total_minor": 850, "carbon_g": 410,
        "whole": WHOLE,
    }  # fmt: skip
    job = decode(Job, answers.job("planned") | {"allocation": answers.allocation() | {"in_pieces": told}})

    lines = words(plan_lines(job, NOW))

    rows = [line for line in lines if line.startswith(("piece", "together", "in one run"))]
    assert [row.split()[0] for row in rows] == ["piece", "piece", "together", "in"]
    assert "$4.00" in rows[0]
    assert "$8.50" in rows[2]
    assert "$16.00" in rows[3]
    assert all("CO2e" in row for row in rows)


def test_a_plan_in_one_run_says_nothing_of_pieces():
    job = decode(Job, answers.job("planned") | {"allocation": answers.allocation() | {"in_pieces": None}})

    assert not [line for line in words(plan_lines(job, NOW)) if line.startswith(("piece", "together"))]


def test_a_job_lists_its_pieces_with_what_became_of_them():
    pieces = [FIRST | {"state": "over"}, SECOND | {"state": "next"}]
    job = decode(Job, answers.job("allocated") | {"allocation": answers.allocation(), "pieces": pieces})

    rows = [line for line in words(job_lines(job, NOW)) if line.startswith("piece")]

    assert [(row.split()[1], row.split()[-1]) for row in rows] == [("1", "over"), ("2", "next")]
