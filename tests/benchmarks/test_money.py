"""The benchmarks of money in small: what they print adds up, on databases of their own."""

import json
import subprocess
import sys


def told(name, *argv):
    """The document that `python -m benchmarks.<name>` prints; its exit status is 0."""
    done = subprocess.run(
        (sys.executable, "-W", "ignore", "-m", f"benchmarks.{name}", *argv), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_money_moved_by_processes_that_are_killed_is_neither_lost_nor_doubled():
    found = told("killed_money", "--kills", "8")

    assert sum(found["kills"].values()) == 8
    assert (found["off"], found["still_under_way"]) == ({}, {})
    assert found["checked"] > 40
    assert min(found["did"][name] for name in ("topups", "reservations", "calls", "messages", "journals")) > 0


def test_writers_of_journals_as_the_application():
    found = told("journals", "--writers", "2", "--seconds", "1", "--repeat", "1")

    assert found["journals_per_second"] > 0
    assert (found["role"], found["errors"], set(found["checks"].values())) == ("application", [], {0})


def test_a_month_is_exported_with_a_row_for_each_charge_credit_and_tax_and_billed():
    found = told("focus", "--charges", "200", "--others", "50", "--repeat", "1", "--invoices")

    assert found["expected_rows"] == 302
    assert found["invoices"]
