"""A market in which something of everything has happened, through the services the product uses."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from accounts.idempotency import Answer, once
from accounts.models import Organization
from marketplace.booking.changing import resize
from marketplace.booking.credits import give_credit
from marketplace.booking.services import cancel, hold_units
from marketplace.booking.standing import Wish, place_order
from marketplace.booking.waiting import Wanted
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR, hour_floor
from marketplace.ledger.budgets import set_budget
from marketplace.ledger.holds import hold_money
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Account, Invoice
from marketplace.ledger.services import account_of, post, post_many, reverse
from scheduler.attempts import mark_running
from scheduler.billing import invoice_order
from scheduler.cycle import run_round
from scheduler.finishing import finish
from scheduler.jobfile import parse
from scheduler.models import Attempt, Job, Lease
from scheduler.preempting import FIRM_WORK, give_notice, lock_open
from scheduler.services import Actor, submit_job
from scheduler.standingorders import keep_orders
from scheduler.waitinglist import join_list, serve_waiting
from tests.invariants.green_scene import energy_that_was_matched
from tests.market import make_organization
from tests.scheduler.machines import make_pair
from tests.scheduler.reserved import reserve, submit_inside
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

    And two offers on the same machines, with work that makes room; and a reservation with a job that runs inside.
    """

    def __init__(self) -> None:
        self.now = timezone.now()
        self.offer: Offer = make_cpu_offer(now=self.now, units=3)
        self.offer.rate_mm = [900_000_000] * 168  # so that what little runs costs something
        self.offer.save(update_fields=["rate_mm"])
        self.agent = TestAgent(self.offer, now=self.now)
        self.buyer: Organization = make_organization()
        set_budget(organization=self.buyer, api_key=None, asset="USD", livemode=False, limit_minor=10**9, now=self.now)
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
        self.inside = self.work_inside()
        self.units_kept_reserved()
        self.wait_that_was_served()
        self.money_that_came_and_went()
        self.invoice = self.use_that_was_billed()
        self.lot = energy_that_was_matched()
        once(actor="org_a", key="one", fingerprint="f", now=self.now, effect=lambda: Answer(status=201, body={}))

    def units_kept_reserved(self) -> None:
        """A standing order that bought two blocks of hours."""
        offer = make_cpu_offer(now=self.now, units=2)
        where = {"accelerator": ["vCPU"], "price__lte": 10**6, "site": [offer.site.public_id]}
        wish = Wish(1, where, 10**9, ahead_hours=4, block_hours=2)
        place_order(buyer=self.buyer, wish=wish, now=self.now)
        keep_orders(now=self.now)
        Offer.objects.filter(pk=offer.pk).update(state="paused")

    def wait_that_was_served(self) -> None:
        """Hours of an offer that were sold, waited for, given back and offered."""
        offer, start = make_cpu_offer(now=self.now, units=2), hour_floor(self.now) + 3 * HOUR
        sold = hold_units(buyer=self.buyer, offer=offer, units=2, start=start, end=start + 2 * HOUR, now=self.now)
        wanted = Wanted(2, 2, {"offer": [offer.public_id]}, start_after=start, start_by=start)
        join_list(buyer=self.buyer, wanted=wanted, now=self.now)
        cancel(reservation=sold, now=self.now)
        serve_waiting(now=self.now)
        Offer.objects.filter(pk=offer.pk).update(state="paused")

    def money_that_came_and_went(self) -> None:
        """A top-up, a hold of a part of it, and a journal that was undone."""

        def account(kind: str, owner: Organization | None) -> Account:
            return account_of(kind=kind, owner=owner, asset="USD", livemode=False)

        clearing, wallet = account("stripe_clearing", None), account("buyer_available", self.buyer)
        paid = [debit(clearing, 10_000), credit(wallet, 10_000)]
        post(kind="topup", ref="pi_1", lines=paid, now=self.now, actor="test")
        twice = post(kind="topup", ref="pi_2", lines=paid, now=self.now, actor="test")
        reverse(journal=twice, now=self.now, actor="test")
        hold_money(
            organization=self.buyer, asset="USD", livemode=False, amount=2_388, subject="rsv_1", now=self.now,
            actor="test",
        )  # fmt: skip

    def use_that_was_billed(self) -> Invoice:
        """An invoice of the finished job, with its charge and a credit."""
        contract = self.done.allocations.get().contract
        with transaction.atomic():
            facts = give_credit(
                kind="usage_dispute", subject="udp_1", contract=contract, lines=[], base=90, amount=9, on_charges=0,
                livemode=False, now=self.now,
            )  # fmt: skip
            post_many(facts=facts, now=self.now, actor="test")
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

    def work_inside(self) -> Attempt:
        """It runs on one of two reserved units, to which a third was added, and another waits for all of them."""
        offer = make_cpu_offer(now=self.now, units=4)
        agent = TestAgent(offer, now=self.now)
        held = reserve(offer, self.buyer, start=hour_floor(self.now), hours=3, now=self.now)
        resize(reservation=held, units=3, now=self.now)
        submit_inside(held, now=self.now, run_s=120)
        submit_inside(held, now=self.now, run_s=120, units=3)
        [lease] = agent.claim(now=timezone.now())
        mark_running(attempt=lease.attempt, now=timezone.now())
        Offer.objects.filter(pk=offer.pk).update(state="paused")
        return lease.attempt

    def finished_job(self) -> Job:
        job = self.submit()
        self.match()
        [lease] = self.agent.claim(now=timezone.now())
        Lease.objects.filter(pk=lease.pk).update(granted_at=timezone.now() - timedelta(seconds=1))
        report = self.agent.report(lease, usage=[self.agent.usage(lease, 1000)])
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
