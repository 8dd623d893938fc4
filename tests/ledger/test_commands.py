"""The operators' commands about payments: what they print, and how they end."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from marketplace.ledger.gateways.base import GatewayUnknown
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.models import GatewayStop
from tests.ledger.cashier import Cashier

pytestmark = pytest.mark.django_db


@pytest.fixture
def cashier():
    return Cashier(timezone.now())


def run(capsys, *arguments):
    """(exit code, what was printed) of a command."""
    try:
        call_command(*arguments)
    except SystemExit as end:
        return end.code, capsys.readouterr()
    return 0, capsys.readouterr()


def test_a_day_that_adds_up_ends_well(cashier, capsys):
    cashier.topped_up(10_000)
    day = f"{cashier.now:%Y-%m-%d}"

    code, told = run(capsys, "reconcile_payments", "--day", day, "--json")

    answer = json.loads(told.out)
    assert (code, answer["ok"]) == (0, True)
    assert [(each["day"], each["transactions"], each["theirs"]) for each in answer["days"]] == [
        (day, 1, {"USD": 9_680})
    ]


def test_a_difference_ends_with_1_and_names_it(cashier, capsys):
    cashier.pay(cashier.start())
    day = f"{cashier.now:%Y-%m-%d}"

    code, told = run(capsys, "reconcile_payments", "--day", day)

    assert code == 1
    assert f"{day} sandbox: DOES NOT ADD UP, 1 balance transactions" in told.out
    assert "theirs 100.00 USD, ours 0.00 USD" in told.out


def test_after_a_restore_every_day_since_is_compared(cashier, capsys):
    last = cashier.now.date()
    first = last - timedelta(days=2)

    code, told = run(capsys, "reconcile_payments", "--since", str(first), "--day", str(last), "--json")

    assert code == 0
    assert [each["day"] for each in json.loads(told.out)["days"]] == [str(first + timedelta(days=n)) for n in range(3)]


def test_a_processor_that_cannot_be_asked_ends_with_2(capsys, monkeypatch):
    def away(*_):
        raise GatewayUnknown("no answer")

    monkeypatch.setattr(SandboxGateway, "balance_transactions", away)

    code, told = run(capsys, "reconcile_payments")

    assert code == 2
    assert "could not be asked: no answer" in told.err


def test_days_in_the_wrong_order_and_what_is_no_day_are_refused():
    for arguments in (("--since", "2026-11-25", "--day", "2026-11-24"), ("--day", "monday")):
        with pytest.raises(CommandError) as refusal:
            call_command("reconcile_payments", *arguments)
        assert refusal.value.returncode in (1, 2)


def test_the_outbox_is_stopped_with_a_reason_told_and_started(cashier, capsys):
    cashier.start()
    assert run(capsys, "outbox", "status")[0] == 0

    with pytest.raises(CommandError, match="say why"):
        call_command("outbox", "stop")
    assert not GatewayStop.objects.exists()
    code, told = run(capsys, "outbox", "stop", "--reason", "restored from Monday")
    assert (code, "restored from Monday" in told.out) == (0, True)
    code, told = run(capsys, "outbox", "status", "--json")
    assert (code, json.loads(told.out)["stopped"]["reason"]) == (1, "restored from Monday")

    run(capsys, "outbox", "start")
    code, told = run(capsys, "outbox", "status", "--json")
    assert (code, json.loads(told.out)) == (0, {"gateway": "sandbox", "stopped": None, "waiting": 0, "failed": 0})
