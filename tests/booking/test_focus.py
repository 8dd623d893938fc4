"""The cost export: the vectors of FOCUS 1.2 that the market promises, to the last digit."""

import csv
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.booking.focus import COLUMNS, MANDATORY, OURS, Charge, Credit, focus_rows
from tests.market import MONDAY

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
STEP_4 = Charge(
    public_id="chl_1", order="job_1", subject="alc_1", contract="ctr_1", meter="unit_second", idle=False, start=MONDAY,
    end=MONDAY + timedelta(seconds=8_263), quantity=33_052, charge_minor=1_827, tax_minor=0, livemode=False,
    month=NOVEMBER, invoice="TEST-INV-2026-000001", buyer="org_1", buyer_name="Rhine Lab", publisher="Huaihe Solar",
    currency="USD", units=4, seconds=[3_600] * 3, price_lines=[{"code": "compute", "amount_minor": 2_388}],
    tier="firm", offer="ofr_1", hardware="H100", hardware_slug="h100-sxm", site="North Hall", zone="DE",
    zone_name="Germany", site_wh=9_100,
)  # fmt: skip
CREDIT = Credit(
    public_id="crd_1", kind="interruption", order="job_1", subject="alc_1", contract="ctr_1", amount_minor=100,
    tax_minor=0, at=MONDAY + timedelta(hours=7), livemode=False, month=NOVEMBER, billed=False, invoice=None,
    buyer="org_1", buyer_name="Rhine Lab", publisher="Huaihe Solar", currency="USD", hardware="H100",
)  # fmt: skip


def table(charges=(), credits_=()):
    """The rows of the file by column."""
    text = "".join(focus_rows(charges, credits_, issuer="Exchange Ltd"))
    return list(csv.DictReader(StringIO(text)))


def test_the_worked_example_is_printed_to_the_last_digit():
    [row] = table([STEP_4])

    assert {name: row[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")} == {
        "BilledCost": "18.27", "EffectiveCost": "18.27",
        "ListCost": "18.27041111089", "ContractedCost": "18.27041111089",
    }  # fmt: skip
    assert (row["PricingQuantity"], row["ConsumedQuantity"]) == ("9.181111111", "9.181111111")
    assert (row["ListUnitPrice"], row["ContractedUnitPrice"]) == ("1.99", "1.99")
    assert (row["PricingUnit"], row["ConsumedUnit"]) == ("Unit-Hours", "Unit-Hours")
    assert (row["ChargeCategory"], row["PricingCategory"], row["ChargeClass"]) == ("Usage", "Standard", "")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-11-23T00:00:00Z", "2026-11-23T02:17:43Z")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")
    assert (row["ProviderName"], row["InvoiceIssuerName"], row["PublisherName"]) == (
        "Exchange Ltd", "Exchange Ltd", "Huaihe Solar",
    )  # fmt: skip
    assert (row["ServiceCategory"], row["ServiceName"], row["SkuId"]) == ("Compute", "H100", "h100-sxm")
    assert (row["RegionId"], row["ResourceId"], row["ResourceType"]) == ("DE", "job_1", "Job")
    assert (row["x_ContractId"], row["x_SiteWh"], row["x_Livemode"], row["x_MatchedShare"]) == (
        "ctr_1", "9100", "false", "",
    )  # fmt: skip


def test_a_credit_of_100_is_minus_one_in_all_four_costs_and_has_no_quantity():
    [row] = table(credits_=[CREDIT])

    costs = [row[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")]
    assert costs == ["-1.00"] * 4
    assert (row["ChargeCategory"], row["PricingQuantity"], row["PricingUnit"], row["ListUnitPrice"]) == (
        "Credit", "", "", "",
    )  # fmt: skip
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z")


def test_a_tax_is_a_row_of_its_own_behind_its_charge_and_goes_back_with_a_credit():
    rows = table([STEP_4._replace(tax_minor=365)], [CREDIT._replace(amount_minor=120, tax_minor=20)])

    assert [(row["ChargeCategory"], row["BilledCost"]) for row in rows] == [
        ("Usage", "18.27"), ("Tax", "3.65"), ("Credit", "-1.00"), ("Tax", "-0.20"),
    ]  # fmt: skip
    assert [rows[1][name] for name in ("PricingQuantity", "ListUnitPrice", "PricingCategory", "SkuId")] == [""] * 4
    assert rows[1]["ListCost"] == "3.65"
    assert rows[1]["InvoiceId"] == rows[0]["InvoiceId"] == "TEST-INV-2026-000001"


def test_all_mandatory_columns_are_there_and_our_own_come_last():
    text = "".join(focus_rows([], [], issuer="Exchange Ltd"))

    head = text.strip().split(",")
    assert tuple(head) == COLUMNS
    assert len(MANDATORY) == 21
    assert set(MANDATORY) <= set(head)
    assert tuple(head[-len(OURS) :]) == OURS
    assert not [name for name in head[: -len(OURS)] if name.startswith("x_")]


def test_interruptible_idle_and_reserved_use_say_so():
    spare = table([STEP_4._replace(tier="interruptible")])[0]
    reserved = STEP_4._replace(subject="rsv_1", order="rsv_1")
    used, unused = table([reserved, reserved._replace(idle=True)])

    assert (spare["PricingCategory"], spare["CapacityReservationId"], spare["CapacityReservationStatus"]) == (
        "Dynamic", "", "",
    )  # fmt: skip
    assert (used["CapacityReservationId"], used["CapacityReservationStatus"], used["ResourceType"]) == (
        "rsv_1", "Used", "Reservation",
    )  # fmt: skip
    assert unused["CapacityReservationStatus"] == "Unused"


def test_what_is_billed_after_its_month_was_closed_is_a_correction():
    december = datetime(2026, 12, 1, tzinfo=UTC)
    last_hours = STEP_4._replace(start=december - timedelta(hours=2), end=december)
    late, in_time = table([STEP_4._replace(month=december), last_hours])
    credit = table(credits_=[CREDIT._replace(billed=True, month=december)])[0]

    assert (late["ChargeClass"], late["BillingPeriodStart"]) == ("Correction", "2026-12-01T00:00:00Z")
    assert in_time["ChargeClass"] == ""
    assert credit["ChargeClass"] == "Correction"


@pytest.mark.parametrize(
    ("currency", "billed", "listed"), [("JPY", "1827", "1827.041111089"), ("KWD", "1.827", "1.827041111089")]
)
def test_a_currency_has_its_own_decimals(currency, billed, listed):
    [row] = table([STEP_4._replace(currency=currency)])

    assert (row["BilledCost"], row["ListCost"], row["BillingCurrency"]) == (billed, listed, currency)


@pytest.mark.parametrize("text", ["=1+1", "+49", "-x", "@cmd", "\t=x", "\r=1", " =1", "\n+1"])
def test_no_text_begins_like_a_formula_or_breaks_a_row(text):
    hostile = STEP_4._replace(buyer_name=text, publisher=text, hardware=text, site=text, zone_name=text, zone=text)
    row = next(csv.DictReader(StringIO("".join(focus_rows([hostile], [], issuer=text)), newline="")))

    texts = {name: value for name, value in row.items() if not name.endswith(("Cost", "Quantity", "UnitPrice"))}
    assert [name for name, value in texts.items() if value.strip().startswith(("=", "+", "-", "@"))] == []
    assert row["BillingAccountName"] == "'" + text.translate(str.maketrans("\t\r\n", "   "))


def test_a_moment_shorter_than_a_second_still_has_a_span():
    [row] = table([STEP_4._replace(end=MONDAY + timedelta(milliseconds=5))])

    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-11-23T00:00:00Z", "2026-11-23T00:00:01Z")


ALWAYS = set(MANDATORY) - {"BillingAccountName", "ChargeClass", "PricingQuantity", "PricingUnit"}
NUMBER, MOMENT = re.compile(r"-?\d+(\.\d+)?"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
WORDS = {
    "ChargeCategory": {"Usage", "Tax", "Credit"}, "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"Usage-Based", "One-Time"}, "PricingCategory": {"", "Standard", "Dynamic"},
    "CapacityReservationStatus": {"", "Used", "Unused"}, "ServiceCategory": {"Compute", "Other"},
    "ServiceSubcategory": {"Other (Compute)", "Other (Other)"}, "x_Livemode": {"true", "false"},
}  # fmt: skip
TOGETHER = (
    ("PricingQuantity", "PricingUnit"), ("ConsumedQuantity", "ConsumedUnit"), ("ResourceId", "ResourceType"),
    ("RegionId", "RegionName"), ("SkuId", "SkuPriceId"),
    ("SkuId", "SkuMeter"), ("ListUnitPrice", "ContractedUnitPrice"),
    ("CapacityReservationId", "CapacityReservationStatus"), ("ListUnitPrice", "PricingQuantity"),
)  # fmt: skip
EVERY_KIND = (
    [
        STEP_4._replace(tax_minor=365), STEP_4._replace(charge_minor=0, site_wh=None, invoice=None),
        STEP_4._replace(subject="rsv_1", order="rsv_1", idle=True, tier="interruptible", livemode=True),
    ],
    [
        CREDIT._replace(tax_minor=5),
        CREDIT._replace(order=None, subject=None, contract=None, publisher=None, hardware=None, kind="goodwill"),
    ],
)  # fmt: skip


@pytest.mark.parametrize("row", table(*EVERY_KIND), ids=lambda row: row["ChargeDescription"])
def test_every_row_keeps_the_rules_of_the_standard(row):
    """Its own validator needs another Python and libraries that exclude ours; these are the rules that it looks at."""
    assert {name for name in ALWAYS if not row[name]} == set()
    for name, value in row.items():
        if name.endswith(("Cost", "Quantity", "UnitPrice")):
            assert NUMBER.fullmatch(value) or not value, name
        if "Period" in name:
            assert MOMENT.fullmatch(value), name
        assert value in WORDS.get(name, {value}), name
    for first, second in TOGETHER:
        assert bool(row[first]) == bool(row[second]), (first, second)
    assert row["ChargePeriodStart"] < row["ChargePeriodEnd"]
    assert row["BillingPeriodStart"] < row["BillingPeriodEnd"]
    usage = row["ChargeCategory"] == "Usage"
    assert bool(row["PricingQuantity"]) == usage == bool(row["SkuPriceId"]) == bool(row["PricingCategory"])
    assert (row["ServiceCategory"] == "Compute") == (row["ServiceSubcategory"] == "Other (Compute)")
    assert len(row["BillingCurrency"]) == 3


AMOUNTS = st.integers(0, 10**9)


HOURS = st.lists(st.integers(1, 3_600), min_size=1, max_size=9)


@given(AMOUNTS, st.integers(0, 10**12), st.integers(1, 64), HOURS, AMOUNTS)
def test_a_cost_is_exactly_the_printed_quantity_times_the_printed_price(charge, quantity, units, seconds, total):
    row = STEP_4._replace(
        charge_minor=charge, quantity=quantity, units=units, seconds=seconds,
        price_lines=[{"code": "compute", "amount_minor": total}, {"code": "tax", "amount_minor": 7}],
    )  # fmt: skip
    [cells] = table([row])

    assert Fraction(cells["ListCost"]) == Fraction(cells["PricingQuantity"]) * Fraction(cells["ListUnitPrice"])
    assert abs(Fraction(cells["PricingQuantity"]) - Fraction(quantity, 3_600)) <= Fraction(1, 2 * 10**9)
    exact = Fraction(total * 36, units * sum(seconds))
    assert abs(Fraction(cells["ListUnitPrice"]) - exact) <= Fraction(1, 2 * 10**9)
    assert Fraction(cells["BilledCost"]) == Fraction(charge, 100)
