"""The checker of certified energy: silent while it is sound, and each way to count a Wh twice is found."""

import pytest
from django.db import connection, transaction

from marketplace.energy.models import CertificateLot
from tests.invariants.green_scene import energy_that_was_matched
from tests.invariants.scene import findings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lot() -> CertificateLot:
    return energy_that_was_matched()


def broken(*statements: str) -> None:
    """Change rows behind the product's back, triggers off."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
        assert cursor.rowcount >= 1


def anomalies(check: str) -> list[tuple[str, str, str]]:
    code, found = findings("--only", check)
    assert code == bool(found[check]["anomalies_total"])
    return [(each["key"], each["expected"], each["found"]) for each in found[check]["anomalies"]]


def test_energy_of_which_everything_has_happened_breaks_nothing(lot):
    states = {row.state for row in lot.spans.all()}

    assert {"reserved", "cancelled", "stored"} <= states
    assert (anomalies("G1"), anomalies("G2"), anomalies("E1")) == ([], [], [])
    assert all(finding["rows"] > 0 for finding in findings("--only", "G1,G2")[1].values())


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM energy_certificatespan WHERE id = (SELECT min(id) FROM energy_certificatespan)", "each Wh once"),
        ("UPDATE energy_certificatelot SET available_wh = 0, exported_wh = available_wh WHERE available_wh > 0", ""),
        ("UPDATE energy_certificatespan SET subject = 'job_z' WHERE state = 'cancelled'", "50"),
        ("DELETE FROM energy_supplyentry WHERE to_state = 'cancelled'", "0"),
        ("UPDATE energy_supplyentry SET wh_range = int8range(lower(wh_range), upper(wh_range) - 1) "
         "WHERE to_state = 'cancelled'", "49"),
    ],
)  # fmt: skip
def test_a_wh_that_is_not_in_the_state_that_its_entries_say_is_found(lot, statement, told):
    broken(statement)

    found = anomalies("G1")

    assert found
    assert any(told in expected for _, expected, _ in found)


@pytest.mark.parametrize(
    ("drop", "statement", "told"),
    [
        ("energy_supplyentry DROP CONSTRAINT certificate_wh_cancelled_once",
         "INSERT INTO energy_supplyentry (lot_id, wh_range, from_state, to_state, subject, purpose, beneficiary, "
         "statement_ref, request_key, at) "
         "SELECT lot_id, wh_range, from_state, to_state, subject, 'again', '', '', '', at "
         "FROM energy_supplyentry WHERE to_state = 'cancelled'", "cancelled"),
        ("energy_certificatelot DROP CONSTRAINT certificate_lot_of_its_own_wh",
         "UPDATE energy_certificatelot SET issuance_id = (SELECT min(issuance_id) FROM energy_certificatelot)", "held"),
        ("energy_storagedraw DROP CONSTRAINT stored_wh_drawn_once",
         "INSERT INTO energy_storagedraw (issuance_id, lot_id, wh_range) "
         "SELECT issuance_id, lot_id, wh_range FROM energy_storagedraw", "drawn from a store"),
    ],
)  # fmt: skip
def test_a_wh_that_is_counted_twice_is_found_without_the_constraint(lot, drop, statement, told):
    from config.invariants.green import G1

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"ALTER TABLE {drop}")
        cursor.execute(statement)
        found = []
        for query in G1.queries:
            cursor.execute(query)
            found += [key for key, _, _ in cursor.fetchall()]
        transaction.set_rollback(True)

    assert any(key.endswith(told) for key in found)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE energy_usehour SET matched_wh = matched_wh - 1 WHERE matched_wh > 0", "of at most"),
        ("UPDATE energy_usehour SET volume_wh = volume_wh - 1 WHERE volume_wh > 0", "of at most"),
        ("DELETE FROM energy_matchline WHERE id = (SELECT min(id) FROM energy_matchline)", "of at most"),
        ("UPDATE energy_certificatespan SET state = 'available', subject = '' WHERE state = 'reserved'", "set aside"),
        ("UPDATE energy_certificatespan SET subject = 'job_z' WHERE state = 'reserved'", "set aside"),
        ("UPDATE energy_usehour SET start = start + interval '5 hours'", "of its hour"),
        ("UPDATE energy_certificatelot SET point_id = NULL", "of its hour"),
        ("UPDATE energy_matchline SET volume = NOT volume", "of its hour"),
        ("UPDATE energy_generationhour SET claimed_wh = claimed_wh - 1 WHERE claimed_wh > 0", "made at least that"),
        ("DELETE FROM energy_generationhour", "made at least that"),
        ("UPDATE energy_pointhour SET attributed_wh = attributed_wh - 1", "of at most"),
        ("UPDATE energy_sharehour SET promised_ppm = promised_ppm + 1", "of at most 1000000"),
        ("DELETE FROM energy_storagedraw", "at most 0"),
        ("UPDATE energy_energysource SET efficiency_ppm = 700000 WHERE kind = 'storage'", "at most 119"),
        ("UPDATE energy_certificatespan SET state = 'exported' WHERE state = 'stored'", "stored Wh"),
    ],
)
def test_energy_that_is_counted_beyond_itself_is_found(lot, statement, told):
    broken(statement)

    assert any(told in expected for _, expected, _ in anomalies("G2"))


def test_what_is_used_twice_is_found_without_the_constraint(lot):
    from config.invariants.green import G2

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("ALTER TABLE energy_matchline DROP CONSTRAINT certificate_wh_matches_one_use")
        cursor.execute(
            "INSERT INTO energy_matchline (use_hour_id, lot_id, wh_range, volume, live) "
            "SELECT use_hour_id, lot_id, wh_range, volume, live FROM energy_matchline"
        )
        cursor.execute(G2.queries[-1])
        found = [key for key, _, _ in cursor.fetchall()]
        transaction.set_rollback(True)

    assert f"lot {lot.pk} matched" in found
