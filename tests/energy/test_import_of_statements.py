"""Files of registries' statements: every range as reserved, or nothing is cancelled and each line says why."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.energy.imports.statements import import_statements
from marketplace.energy.models import CertificateLot, ReceiptStep, SupplyEntry
from marketplace.energy.supply import take
from tests.energy.evidence import make_lot
from tests.energy.files import NOW, file_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db


@pytest.fixture
def holder():
    return make_organization("Huaihe Power", funds=0)


@pytest.fixture
def lots(holder):
    """Two lots of 1,000 Wh, of which 220 and 300 are reserved for a reservation."""
    made = [make_lot(1_000, holder=holder) for _ in range(2)]
    for lot, wh in zip(made, (220, 300), strict=True):
        take(lots=[lot.pk], wh=wh, old="available", new="reserved", subject="rsv_1", now=NOW)
    ReceiptStep.objects.create(subject="rsv_1", step="final", due_at=NOW.replace(year=2027))
    return made


def rows_of(lots, *changes):
    rows = [
        {"lot": lot.public_id, "subject": "rsv_1", "from_wh": "0", "to_wh": wh, "beneficiary": "rsv_1",
         "reference": "registry 17"}
        for lot, wh in zip(lots, ("220", "300"), strict=True)
    ]  # fmt: skip
    return [row | change for row, change in zip(rows, changes or ({}, {}), strict=True)]


def send(holder, rows):
    return import_statements(data=file_of(rows), organization=holder, now=NOW)


def cancelled() -> list[int]:
    return list(CertificateLot.objects.order_by("pk").values_list("cancelled_wh", flat=True))


def test_a_file_cancels_every_range_and_the_receipt_is_due(holder, lots):
    result = send(holder, rows_of(lots))

    assert (result.state, result.rows) == ("imported", 2)
    assert cancelled() == [220, 300]
    assert set(SupplyEntry.objects.filter(to_state="cancelled").values_list("statement_ref", flat=True)) == {
        "registry 17"
    }
    assert ReceiptStep.objects.get().due_at == NOW


def test_the_same_file_again_gives_the_first_result(holder, lots):
    first, again = send(holder, rows_of(lots)), send(holder, rows_of(lots))

    assert first.pk == again.pk
    assert cancelled() == [220, 300]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"to_wh": "299"}, (3, "from_wh", "statement_range_mismatch")),
        ({"subject": "rsv_2"}, (3, "from_wh", "statement_range_mismatch")),
        ({"lot": "crt_nothing"}, (3, "lot", "not_found")),
        ({"to_wh": "many"}, (3, "to_wh", "bad_number")),
        ({"reference": ""}, (3, "reference", "bad_value")),
    ],
)
def test_one_wrong_line_cancels_nothing_of_the_whole_file(holder, lots, change, fault):
    result = send(holder, rows_of(lots, {}, change))

    assert result.state == "refused"
    assert [(each["line"], each["column"], each["code"]) for each in result.errors] == [fault]
    assert cancelled() == [0, 0]


def test_a_mismatch_names_the_expected_range(holder, lots):
    [fault] = send(holder, rows_of(lots, {}, {"to_wh": "299"})).errors

    assert "expected of this lot: 0–300" in fault["detail"]


def test_a_range_that_is_told_twice_is_a_fault(holder, lots):
    rows = rows_of(lots)

    [fault] = send(holder, [*rows, rows[0]]).errors

    assert (fault["line"], fault["code"]) == (4, "statement_range_mismatch")
    assert cancelled() == [0, 0]


def test_anothers_lot_is_as_if_there_were_none(lots):
    result = send(make_organization("Rival", funds=0), rows_of(lots))

    assert [each["code"] for each in result.errors] == ["not_found", "not_found"]
    assert cancelled() == [0, 0]


def test_the_lots_of_a_file_are_locked_together_whatever_the_order_of_its_rows(holder, lots):
    """So that two files never wait for each other."""
    with CaptureQueriesContext(connection) as queries:
        send(holder, list(reversed(rows_of(lots))))

    first = next(sql for each in queries if "FOR UPDATE" in (sql := each["sql"]) and "energy_certificatelot" in sql)
    assert all(str(lot.pk) in first.split(" IN ")[1] for lot in lots)
