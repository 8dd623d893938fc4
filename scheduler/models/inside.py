"""What the database itself demands of work inside a reservation."""

import pgtrigger

STAYS_INSIDE = """
    IF NOT EXISTS (
        SELECT FROM scheduler_job AS job JOIN booking_reservation AS held ON held.id = job.reservation_id
        WHERE job.id = NEW.job_id AND held.id = NEW.reservation_id AND held.offer_id = NEW.offer_id
          AND held.contract_id = NEW.contract_id AND held.start <= NEW.start AND NEW."end" <= held."end"
    ) THEN
        RAISE check_violation USING
            MESSAGE = format('allocation %s is not inside the reservation that its job names', NEW.public_id),
            CONSTRAINT = 'allocation_stays_inside', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
"""


def stays_inside() -> pgtrigger.Trigger:
    """An allocation inside a reservation is its job's, on its offer and contract and between its start and its end.

    How many units there are is held by `reservation_never_overfilled`.
    """
    return pgtrigger.Trigger(
        name="allocation_stays_inside", level=pgtrigger.Row, when=pgtrigger.After, operation=pgtrigger.Insert,
        condition=pgtrigger.Condition("NEW.reservation_id IS NOT NULL"), func=STAYS_INSIDE,
    )  # fmt: skip
