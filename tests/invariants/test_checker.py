"""The independent checker: silent on a sound market, loud on each broken row."""

import json
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from config.invariants import invoices
from marketplace.booking.models import CapacityDay, Reservation
from marketplace.booking.services import cancel
from scheduler.models import Allocation, Job, Lease
from scheduler.services import cancel_job, relax_job
from tests.invariants.scene import Market, findings, verify

pytestmark = pytest.mark.django_db(transaction=True)
ALL = {
    "M1", "M2", "M4", "M5", "M6", "M7", "M8", "M9", "M12", "M13", "M14", "M15",
    "C1", "C2", "C5", "C6", "C7", "C8", "C9", "J1", "J2", "J3", "J4", "J5", "J7", "J8", "J9", "J10", "E1",
    "R1", "A1", "A3", "G1", "G2",
}  # fmt: skip


@pytest.fixture
def market():
    return Market()


def broken(statement, *values):
    """Change a row behind the product's back, triggers off."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement, values)
        assert cursor.rowcount == 1


def test_a_market_at_work_breaks_nothing(market):
    code, found = findings()

    assert code == 0, found
    assert set(found) == ALL
    assert all(found[each]["rows"] > 0 for each in ALL)


def test_the_answer_has_the_promised_shape(market):
    _, text = verify("--json", "--only", "C1")
    answer = json.loads(text)

    assert answer["ok"] is True
    assert answer["checked_at"].endswith("Z")
    assert set(answer["checks"][0]) == {"id", "rows", "ms", "anomalies_total", "anomalies"}


def test_the_self_test_sees_every_check_report_its_broken_row(market):
    code, text = verify("--self-test")

    assert code == 0, text
    assert text.count("reports its broken row") == len(ALL)
    assert findings()[0] == 0, "the self-test takes everything back"


def test_the_self_test_says_when_there_is_no_row_to_break():
    code, text = verify("--self-test", "--only", "C5")

    assert code == 2
    assert "no row to break" in text


def test_only_the_checks_named_are_run(market):
    _, found = findings("--only", "C2,J4")

    assert set(found) == {"C2", "J4"}


def test_an_unknown_check_is_never_passed(market):
    code, text = verify("--only", "C99")

    assert code == 2
    assert "no check C99" in text


def test_a_lost_unit_of_a_promise_is_found_with_both_numbers(market):
    row = CapacityDay.objects.get(offer=market.offer, day=market.held.start.date())
    hour = market.held.start.hour
    promised = row.units_promised
    promised[hour] -= 1
    CapacityDay.objects.filter(pk=row.pk).update(units_promised=promised)

    code, found = findings("--only", "C2")

    assert code == 1
    [anomaly] = found["C2"]["anomalies"]
    assert (anomaly["expected"], anomaly["found"]) == ("2", "1")
    assert anomaly["key"].startswith(market.offer.public_id)


def test_promises_given_back_leave_nothing_behind(market):
    cancel(reservation=market.held, now=timezone.now())
    cancel_job(job=market.waiting, now=timezone.now())

    assert findings()[0] == 0
    days = CapacityDay.objects.filter(offer=market.offer).exclude(day=market.now.date())
    assert not any(sum(row.units_promised) for row in days)


def test_hours_that_passed_before_a_release_are_left_alone(market):
    yesterday = market.now.date() - timedelta(days=1)
    day = CapacityDay.objects.create(offer=market.offer, day=yesterday, units_total=[3] * 24)
    CapacityDay.objects.filter(pk=day.pk).update(units_promised=[1] * 24)

    assert findings("--only", "C2")[0] == 0


def test_runs_beside_each_other_beyond_the_units_are_found(market):
    """The books may balance while two programs really ran on one unit."""
    broken(
        "UPDATE scheduler_attempt SET started_at = ended_at - interval '3 seconds' WHERE job_id = %s", market.done.pk
    )
    broken(
        "UPDATE scheduler_attempt SET state = 'running', started_at = (SELECT started_at FROM scheduler_attempt "
        "WHERE job_id = %s) WHERE job_id = %s", market.done.pk, market.running.pk,
    )  # fmt: skip
    before = findings("--only", "C2")
    day = market.now.date()
    CapacityDay.objects.filter(offer=market.offer, day__lte=day).update(units_total=[1] * 24, units_promised=[1] * 24)

    code, found = findings("--only", "C2")

    assert before[0] == 0, before
    assert code == 1
    told = [each for each in found["C2"]["anomalies"] if "running in" in each["key"]]
    assert [each["found"] for each in told] == ["2"]


def test_a_lapsed_hold_that_nobody_swept_is_found(market):
    Reservation.objects.filter(pk=market.held.pk).update(expires_at=timezone.now() - timedelta(minutes=1))

    assert findings("--only", "C5")[1]["C5"]["anomalies"][0]["key"] == market.held.public_id


def test_a_lapsed_hold_may_wait_for_the_next_sweep(market):
    Reservation.objects.filter(pk=market.held.pk).update(expires_at=timezone.now())

    assert findings("--only", "C5")[0] == 0


def test_a_state_written_beside_the_journal_is_found(market):
    broken("UPDATE scheduler_job SET state = 'running' WHERE id = %s", market.waiting.pk)

    code, found = findings("--only", "E1,J1,J4")

    assert code == 1
    assert {name for name, each in found.items() if each["anomalies_total"]} == {"E1", "J1", "J4"}


def test_an_illegal_move_in_the_journal_is_found(market):
    broken(
        "UPDATE events_event SET state = 'succeeded' WHERE object_id = %s AND state = 'allocated'",
        market.done.public_id,
    )

    keys = [each["key"] for each in findings("--only", "J1")[1]["J1"]["anomalies"]]

    assert all(key.startswith(market.done.public_id) for key in keys)
    assert keys


def test_relaxing_a_job_is_a_legal_step(market):
    relax_job(job=Job.objects.get(pk=market.waiting.pk), limits={"price__lte": 1_000_000}, now=timezone.now())

    assert findings("--only", "J1,E1")[0] == 0


def test_a_job_that_everybody_forgot_is_found(market):
    Job.objects.filter(pk=market.waiting.pk).update(next_attempt_at=timezone.now() - timedelta(minutes=1))

    assert findings("--only", "J4")[1]["J4"]["anomalies"][0]["key"] == market.waiting.public_id


def test_a_running_job_whose_lease_lapsed_long_ago_is_found(market):
    past = timezone.now() - timedelta(minutes=5)
    Lease.objects.filter(pk=market.lease.pk).update(granted_at=past, expires_at=past + timedelta(seconds=40))

    assert findings("--only", "J4")[1]["J4"]["anomalies"][0]["key"] == market.running.public_id


def test_an_ended_job_that_keeps_its_hours_is_found(market):
    Allocation.objects.filter(job=market.done).update(live=True, released_at=None)

    code, found = findings("--only", "J3,C2")

    assert code == 1
    assert found["J3"]["anomalies"][0]["key"] == market.done.public_id
    assert found["C2"]["anomalies_total"] >= 1


def test_use_beyond_the_wall_clock_is_found(market):
    broken("UPDATE booking_usagerecord SET milliseconds = 3600000 WHERE attempt LIKE 'att_%%'")

    code, found = findings("--only", "J7")

    assert code == 1
    assert found["J7"]["anomalies_total"] == 2, "the record and its attempt"


def test_a_key_kept_in_an_answer_is_found(market):
    broken("UPDATE accounts_idempotencykey SET body = to_jsonb(%s::text)", market.agent.secret)

    assert findings("--only", "A3")[1]["A3"]["anomalies_total"] == 1


def test_inside_another_transaction_nothing_is_checked_and_it_says_so(market):
    with transaction.atomic():
        code, text = verify("--only", "C1")

    assert code == 2
    assert "transaction of their own" in text


def test_units_given_inside_a_reservation_beyond_its_jobs_are_found(market):
    held = market.inside.job.reservation
    row = held.days.get(day=market.now.date())
    row.units_promised[market.now.hour] += 1
    held.days.filter(pk=row.pk).update(units_promised=row.units_promised)

    [anomaly] = findings("--only", "C6")[1]["C6"]["anomalies"]
    assert (anomaly["expected"], anomaly["found"]) == ("1", "2")
    assert anomaly["key"].startswith(held.public_id)


def test_units_that_a_reservation_holds_without_having_bought_them_are_found(market):
    held = market.inside.job.reservation
    row = held.days.get(day=market.now.date())
    row.units_total[market.now.hour] += 1
    held.days.filter(pk=row.pk).update(units_total=row.units_total)

    [anomaly] = findings("--only", "C6")[1]["C6"]["anomalies"]
    assert (anomaly["expected"], anomaly["found"]) == ("2", "3"), "a third unit is had from the next hour on"


def test_programs_beside_each_other_beyond_the_reserved_units_are_found(market):
    broken("UPDATE scheduler_allocation SET units = 3 WHERE id = %s", market.inside.allocation_id)

    found = findings("--only", "C6")[1]["C6"]["anomalies"]

    assert [each["expected"] for each in found if each["key"].endswith("running")] == ["at most 2"]


def test_work_that_left_its_reservation_is_found(market):
    broken("UPDATE scheduler_allocation SET offer_id = %s WHERE id = %s", market.offer.pk, market.inside.allocation_id)

    keys = [each["key"] for each in findings("--only", "C6")[1]["C6"]["anomalies"]]

    assert keys == [market.inside.allocation.public_id]


def test_a_job_inside_that_stands_in_the_queue_of_the_market_is_found(market):
    job = Job.objects.get(reservation=market.inside.job.reservation, state="queued")
    broken(
        "INSERT INTO scheduler_queueentry (job_id, segment, region_group, due_at) VALUES (%s, 'cpu', '', %s)", job.pk,
        market.now,
    )  # fmt: skip

    [anomaly] = findings("--only", "J10")[1]["J10"]["anomalies"]
    assert (anomaly["key"], anomaly["found"]) == (job.public_id, "waits while it is inside a reservation")


def test_hours_that_two_offers_both_sell_are_named(market):
    loose = market.noticed.allocation.offer
    broken(
        "UPDATE booking_capacityday SET units_total[3] = 9 WHERE offer_id = %s AND day = %s", loose.pk,
        market.now.date(),
    )  # fmt: skip

    [anomaly] = findings("--only", "C7")[1]["C7"]["anomalies"]
    assert anomaly == {"key": f"{loose.public_id} {market.now.date()} 02h", "expected": "4", "found": "9"}


def test_work_that_overstays_its_notice_and_one_that_keeps_units_are_named(market):
    long_ago = timezone.now() - timedelta(minutes=5)
    broken("UPDATE scheduler_attempt SET preempt_by = %s WHERE id = %s", long_ago, market.noticed.pk)
    broken(
        "UPDATE scheduler_allocation SET live = true, released_at = NULL WHERE id = %s", market.noticed.allocation_id
    )

    found = findings("--only", "J9")[1]["J9"]["anomalies"]
    assert [each["key"] for each in found] == [market.noticed.public_id] * 2
    assert found[0]["expected"] == "no promise any more"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE ledger_invoice SET net_minor = net_minor + 1, total_minor = total_minor + 1", "252 + 0"),
        ("UPDATE ledger_invoice SET livemode = true", "260 + 0"),
        ("UPDATE ledger_invoiceline SET source = 'chl_gone' WHERE position = 1", "260 + 0"),
        ("UPDATE ledger_invoiceseries SET last = 2", "1 of them, 1 to 1"),
        ("UPDATE booking_servicecredit SET amount_minor = 8, provider_minor = 8", "-9 + 0"),
    ],
)
def test_an_invoice_that_is_not_what_it_was_made_of_is_found(market, change, found):
    broken(change)

    code, answer = findings("--only", "M15")

    assert code == 1
    assert found in {each["found"] for each in answer["M15"]["anomalies"]}


def test_a_charge_on_two_lines_is_found(market):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_invoiceline DISABLE TRIGGER USER")
        cursor.execute(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'ledger_invoiceline'::regclass AND contype = 'u' "
            "AND conname LIKE '%source%'"
        )
        [once] = cursor.fetchone()
        cursor.execute(f"ALTER TABLE ledger_invoiceline DROP CONSTRAINT {once}")
        cursor.execute("UPDATE ledger_invoiceline SET source = (SELECT min(source) FROM ledger_invoiceline)")
        cursor.execute(invoices.M15.queries[0])
        found = cursor.fetchall()
        transaction.set_rollback(True)

    assert [row[1:] for row in found] == [("1 line", "2")]
