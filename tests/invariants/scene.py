"""A market in which something of everything has happened, through the services the product uses."""

import json
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from accounts.idempotency import Answer, once
from accounts.models import Organization
from marketplace.booking.services import hold_units
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR, hour_floor
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Account, Invoice
from marketplace.ledger.services import account_of, post, reverse
from scheduler.billing import invoice_order
from scheduler.cycle import run_round
from scheduler.finishing import finish
from scheduler.jobfile import parse
from scheduler.models import Attempt, Job
from scheduler.preempting import FIRM_WORK, give_notice, lock_open
from scheduler.services import Actor, submit_job
from tests.billing import make_charge, make_credit
from tests.market import make_organization
from tests.scheduler.machines import make_pair
from tests.scheduler.scene import TestAgent, make_cpu_offer

FILE = """\
name: hello
run: echo hello
config:
  joulemart:
    time_limit_s: 120
"""
GANG = f"{FILE}    gang_id: pair\n    gang_size: 2\n"


class Market:
    """One offer with its agent; a job finished, one running, one waiting, a gang; a held reservation; a kept answer.

    And two offers on the same machines, with work that makes room.
    """

    def __init__(self) -> None:
        self.now = timezone.now()
        self.offer: Offer = make_cpu_offer(now=self.now, units=3)
        self.agent = TestAgent(self.offer, now=self.now)
        self.buyer: Organization = make_organization()
        self.done = self.finished_job()
        self.running = self.submit()
        self.match()
        [self.lease] = self.agent.claim(now=timezone.now())
        self.noticed = self.work_that_makes_room()
        self.waiting = self.submit()
        for _ in range(2):
            self.submit(GANG)
        start = hour_floor(self.now) + 3 * HOUR
        self.held = hold_units(
            buyer=self.buyer, offer=self.offer, units=2, start=start, end=start + 2 * HOUR, now=self.now
        )
        self.money_that_came_and_went()
        self.invoice = self.use_that_was_billed()
        once(actor="org_a", key="one", fingerprint="f", now=self.now, effect=lambda: Answer(status=201, body={}))

    def money_that_came_and_went(self) -> None:
        """A top-up, a hold of a part of it, and one that was undone."""

        def account(kind: str, owner: Organization | None) -> Account:
            return account_of(kind=kind, owner=owner, asset="USD", livemode=False)

        clearing = account("stripe_clearing", None)
        wallet, held = account("buyer_available", self.buyer), account("buyer_held", self.buyer)
        paid = [debit(clearing, 10_000), credit(wallet, 10_000)]
        post(kind="topup", ref="pi_1", lines=paid, now=self.now, actor="test")
        for number in (1, 2):
            taken = [debit(wallet, 2_388), credit(held, 2_388)]
            hold = post(kind="hold", ref=f"hld_{number}", lines=taken, now=self.now, actor="test")
        reverse(journal=hold, now=self.now, actor="test")

    def use_that_was_billed(self) -> Invoice:
        """An invoice of the finished job, with a charge and a credit."""
        contract = self.done.allocations.get().contract
        make_charge(contract, 90, start=self.now, seconds=60, tax_minor=9)
        make_credit(self.buyer, 9, contract=contract)
        return invoice_order(buyer=self.buyer, order=self.done.public_id, now=timezone.now())[0]

    def submit(self, text: str = FILE) -> Job:
        return submit_job(actor=Actor(organization=self.buyer), file=parse(text), now=timezone.now())

    def match(self) -> None:
        run_round(segment="cpu", now=timezone.now())

    def work_that_makes_room(self) -> Attempt:
        """It runs on machines that two offers share, which nobody else is given, and was told to end."""
        firm, loose = make_pair(now=self.now)
        agent = TestAgent(firm, now=self.now)
        self.submit(FILE + "    tier: interruptible\n")
        self.match()
        [lease] = agent.claim(now=timezone.now())
        with transaction.atomic():
            [attempt] = lock_open([lease.attempt.allocation.public_id]).values()
            give_notice(attempt=attempt, cause=FIRM_WORK, now=timezone.now())
        Offer.objects.filter(pk__in=[firm.pk, loose.pk]).update(state="paused")
        return attempt

    def finished_job(self) -> Job:
        job = self.submit()
        self.match()
        [lease] = self.agent.claim(now=timezone.now())
        report = self.agent.report(lease, usage=[self.agent.usage(lease, 1)])
        finish(public_id=lease.public_id, key=self.agent.key, report=report, now=timezone.now())
        return job


def verify(*arguments: str) -> tuple[int, str]:
    """(exit code, what the command printed)."""
    out = StringIO()
    try:
        call_command("verify_invariants", *arguments, stdout=out, stderr=out)
    except SystemExit as stopped:
        return int(stopped.code or 0), out.getvalue()
    return 0, out.getvalue()


def findings(*arguments: str) -> tuple[int, dict[str, Any]]:
    """(exit code, {id: finding}) of a run with `--json`."""
    code, text = verify("--json", *arguments)
    return code, {each["id"]: each for each in json.loads(text)["checks"]}
