"""A receipt proves its figures: vectors of the standards, and any receipt rebuilds its totals and verifies offline."""

import base64
import hashlib
import json

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from joulemart import receipts
from joulemart.receipts.charges import charge_due

from marketplace.common.errors import DomainError
from marketplace.energy.receipts.figures import embodied_ug, sci_of, shares_of, totals_of
from marketplace.energy.receipts.label import label_of
from marketplace.energy.receipts.signing import Signer, base64url, canonical, sha256_of, thumbprint
from tests.energy.receipt_papers import SIGNER, at, certificate, file_bytes, hash_of, hour, keys_of, payload

KEYS = receipts.read_keys(json.dumps(keys_of()).encode())
# RFC 8037, appendix A.1 and A.2.
RFC_X, RFC_D = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_thumbprint_of_the_standards_key_is_the_standards():
    assert thumbprint(RFC_X) == RFC_KID
    assert list(receipts.read_keys(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": RFC_X}]}).encode())) == [
        RFC_KID
    ]


def test_the_canonical_bytes_are_those_of_the_golden_text():
    body = {"ü": "€", "b": [1, True, None], "a": 2**53 - 1, "Z": "\u000b\n"}

    assert canonical(body) == '{"Z":"\\u000b\\n","a":9007199254740991,"b":[1,true,null],"ü":"€"}'.encode()
    assert sha256_of(canonical(body)) == "8702d5b66cdf04c1731e9b7fb3d4af0d8a7cd8426889cff8cc000d09d06950a3"


def test_a_number_that_json_cannot_hold_is_refused():
    with pytest.raises(DomainError) as refusal:
        canonical({"wh": 2**53})

    assert refusal.value.code == "receipt_number_too_large"


def test_the_software_carbon_intensity_of_the_specification():
    """1,000 kg, 2 of 43,800 hours, 4 of 8 units."""
    node = {"embodied_kg": 1_000, "unit_seconds": 2 * 4 * 3_600, "lifetime_h": 43_800, "units_per_node": 8}

    assert embodied_ug(**node) == 22_831_051
    sci = sci_of(8_000_000, [node])
    assert (sci["embodied_ug"], sci["ug_per_unit_hour"]) == (22_831_051, -(-(8_000_000 + 22_831_051) // 8))
    assert sci_of(8_000_000, [node | {"embodied_kg": None}]) is None


EXAMPLE = [
    hour(0, onsite_wh=1_000, direct_mg_per_kwh=400_000, lifecycle_mg_per_kwh=450_000, renewable_ppm=300_000),
    hour(1, onsite_wh=250, direct_mg_per_kwh=500_000, lifecycle_mg_per_kwh=560_000, renewable_ppm=200_000),
]
SUN = [certificate(0, 0, 1_000, scheme="METER"), certificate(1, 0, 250, scheme="METER")]


def test_the_example_of_the_specification_to_the_gram():
    totals, shares = totals_of(EXAMPLE), shares_of(EXAMPLE)

    assert (shares["matched_ppm"], shares["blended_ppm"], shares["grid_ppm"]) == (625_000, 700_000, 250_000)
    assert (totals["location_ug"], totals["lifecycle_ug"]) == (900_000_000, 1_010_000_000)
    assert (totals["market_ug"], totals["residual"]) == (525_000_000, True)
    without = [each | {"residual_mg_per_kwh": None} for each in EXAMPLE]
    assert (totals_of(without)["market_ug"], totals_of(without)["residual"]) == (375_000_000, False)
    assert label_of(payload(EXAMPLE, SUN)).matched == "62%"


def test_what_is_not_matched_has_the_renewable_share_of_the_residual_mix_where_it_is_known():
    known = [each | {"residual_renewable_ppm": 100_000} for each in EXAMPLE]

    shares = shares_of(known)

    assert (shares["matched_ppm"], shares["blended_ppm"], shares["grid_ppm"]) == (625_000, 662_500, 250_000)
    body = payload(known, SUN)
    assert receipts.verify(file_bytes(body), keys=receipts.read_keys(json.dumps(keys_of()).encode())).code == "valid"
    wrong = body | {"shares": body["shares"] | {"blended_ppm": 700_000}}
    assert receipts.verify(file_bytes(wrong), keys=None).code == "check_failed"


def test_the_surplus_of_an_hour_is_worth_nothing_in_the_next():
    moved = [
        certificate(0, 0, 1_000, scheme="METER"),
        certificate(1, 0, 250, scheme="METER") | {"start": at(0), "end": at(1)},
    ]

    assert failed(payload(EXAMPLE, moved)) == ["certificates"]


def failed(*bodies, signer=SIGNER, keys=KEYS):
    """The kinds of checks that fail for a file of these versions."""
    return [check.kind for check in receipts.verify(file_bytes(*bodies, signer=signer), keys=keys).failed]


small = st.integers(1, 9)


@st.composite
def papers(draw):
    """A receipt of one to six hours at one or two places, each with records and certificates of 0 to 9 Wh."""
    places = draw(st.integers(1, 2))
    hours, certificates = [], []
    for number in range(draw(st.integers(1, 6))):
        for place in range(places):
            onsite, bought, coarse, rest = (draw(st.integers(0, 9)) for _ in range(4))
            site = onsite + bought + coarse + rest
            factors = {f"{name}_mg_per_kwh": draw(small) for name in ("direct", "lifecycle")}
            renewable = draw(st.integers(0, 1_000_000))
            hours.append(hour(
                number, place=place, site_wh=site, it_wh=draw(st.integers(0, site)), onsite_wh=onsite,
                certificate_wh=bought, volume_wh=coarse, residual_mg_per_kwh=draw(st.none() | small),
                unit_seconds=draw(small), renewable_ppm=renewable,
                carbon_free_ppm=draw(st.integers(renewable, 1_000_000)),
                method=draw(st.sampled_from(["metered_node", "modelled_full"])), **factors,
            ))  # fmt: skip
            for scheme, wh in (("METER", onsite), ("GC", bought)):
                cut = draw(st.integers(0, wh))
                certificates += [
                    certificate(number, low, high, scheme=scheme, place=place)
                    for low, high in ((0, cut), (cut, wh)) if high > low
                ]  # fmt: skip
            if coarse:
                month = {"start": at(0), "end": at(700), "resolution": "month"}
                certificates.append(certificate(number, 0, coarse, scheme="GO", place=place, **month))
    return payload(hours, certificates, places=places, embodied_kg=draw(st.none() | small))


@settings(max_examples=150, deadline=None)
@given(papers())
def test_any_receipt_rebuilds_its_totals_and_verifies_offline(body):
    outcome = receipts.verify(file_bytes(body), keys=KEYS)

    assert [f"{check.name}: {check.fault}" for check in outcome.failed] == []
    assert outcome.code == "valid"
    totals = body["totals"]
    assert totals["site_wh"] == totals["onsite_wh"] + totals["certificate_wh"] + totals["unmatched_wh"]
    listed = sum(each["to_wh"] - each["from_wh"] for each in body["certificates"])
    assert listed == totals["onsite_wh"] + totals["certificate_wh"] + totals["volume_wh"]
    label = label_of(body)
    assert sum(part.wh for part in label.parts) == totals["site_wh"]
    whole = [int(part.share[:-1]) for part in label.parts if part.share[0] not in "<>"]
    assert len(whole) < len(label.parts) or sum(whole) == 100 or not whole


@settings(max_examples=60, deadline=None)
@given(papers(), st.data())
def test_any_receipt_with_one_wh_too_many_fails(body, data):
    """Signed anew by the market's own key: the figures alone must give it away."""
    place = data.draw(st.integers(0, len(body["hours"]) - 1))
    name = data.draw(st.sampled_from(["site_wh", "onsite_wh", "certificate_wh", "unmatched_wh", "volume_wh"]))
    hours = [each | {name: each[name] + 1} if number == place else each for number, each in enumerate(body["hours"])]

    assert failed(body | {"hours": hours}) != []


def test_versions_are_chained_by_their_hashes():
    first = payload([hour(settled=False)], status="provisional")
    second = payload([hour()], version=2, prev_sha256=hash_of(first))

    assert failed(first, second) == []
    assert failed(second) == ["chain"]
    assert failed(first, second | {"prev_sha256": "0" * 64}) == ["chain"]
    assert failed(first, second | {"buyer": {"id": "org_x", "name": "Rhine Lab"}}) == ["chain"]


def jws_of(body, header, signer=SIGNER):
    head = base64url(json.dumps({"kid": signer.kid} | header).encode())
    text = f"{head}.{base64url(canonical(body))}"
    return f"{text}.{base64url(signer.key.sign(text.encode()))}"


def verdict(header, signer=SIGNER, keys=KEYS):
    body = payload([hour()])
    document = json.loads(file_bytes(body, signer=signer))
    document["versions"][0]["jws"] = jws_of(body, header, signer)
    return receipts.verify(json.dumps(document).encode(), keys=keys).code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"alg": "Ed25519"}, "valid"),
        ({"alg": "EdDSA"}, "valid"),
        ({"alg": "none"}, "check_failed"),
        ({"alg": "HS256"}, "check_failed"),
        ({"alg": ["Ed25519"]}, "check_failed"),
        ({}, "check_failed"),
        ({"alg": "Ed25519", "crit": ["exp"]}, "check_failed"),
        ({"alg": "Ed25519", "jku": "https://evil.example/keys"}, "valid"),
    ],
)
def test_only_ed25519_is_accepted_by_its_new_and_its_old_name(header, code):
    assert verdict(header) == code


def test_a_key_that_the_signature_brings_along_is_ignored():
    stranger = Signer("of somebody else")
    brought = {"alg": "Ed25519", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": stranger.x}}

    assert verdict(brought, signer=stranger) == "key_untrusted"
    assert verdict(brought | {"kid": SIGNER.kid}, signer=stranger) == "check_failed"


def test_a_key_set_names_keys_by_their_bytes_whatever_it_calls_them():
    liar = {"keys": [keys_of(Signer("of somebody else"))["keys"][0] | {"kid": SIGNER.kid}]}

    assert SIGNER.kid not in receipts.read_keys(json.dumps(liar).encode())


def test_a_signature_of_the_standards_key_is_verified_with_its_public_half():
    raw = base64.urlsafe_b64decode(RFC_D + "=")
    key = Ed25519PrivateKey.from_private_bytes(raw)
    body = payload([hour()])
    text = f"{base64url(json.dumps({'alg': 'EdDSA', 'kid': RFC_KID}).encode())}.{base64url(rfc8785.dumps(body))}"
    document = json.loads(file_bytes(body))
    document["versions"][0]["jws"] = f"{text}.{base64url(key.sign(text.encode()))}"

    keys = receipts.read_keys(json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": RFC_X}]}).encode())
    assert receipts.verify(json.dumps(document).encode(), keys=keys).code == "valid"
    assert hashlib.sha256(rfc8785.dumps(body)).hexdigest() == hash_of(body)


LONG = {"start": "2026-01-01T00:00:00Z", "end": "2026-12-31T00:00:00Z"}
CONTRACT = {
    "id": "ctr_1", "subject": "alc_1", "units": 1, "rate_mm": [1], "seconds": [3_600], "electricity_mm": 0,
    "untaxed_minor": 0, "tax_bp": 0, "capped": True, "lines": [], **LONG,
}  # fmt: skip
SPAN = {"attempt": "att_1", "units": 1, "energy_wh": 1, "line_sha256": "0" * 64, **LONG}


def worked(contracts, **changes):
    work = {"shared": False, "rounds": [], "currency": "USD", "charge_minor": 0, "tax_minor": 0}
    return payload([hour()], work=work | {"contracts": contracts} | changes)


@pytest.mark.parametrize(
    "body",
    [
        worked([CONTRACT | {"metered": [SPAN] * 70}]),
        worked([CONTRACT | {"metered": [SPAN]}] * 70, shared=True),
        payload([hour()], period={"start": "0001-01-01T00:00:00Z", "end": "9999-12-31T23:59:59Z"}),
        payload([hour()], period={"start": "yesterday", "end": at(1)}),
    ],
    ids=["endless work", "work counted by many contracts", "times beyond all times", "no time"],
)
def test_what_would_take_endless_time_is_not_computed(body):
    assert failed(body) == ["shape"]


@pytest.mark.parametrize("text", ["\ud800", "x" * 100_000], ids=["half a character", "a very long text"])
def test_strange_texts_fail_a_check_with_a_short_fault(text):
    document = json.loads(file_bytes(payload([hour()])))
    document["versions"][0]["payload"]["version"] = text
    document["versions"][0]["payload"][text] = 1

    outcome = receipts.verify(json.dumps(document).encode(), keys=KEYS)

    assert outcome.code == "check_failed"
    assert all(len(check.fault) < 500 for check in outcome.checks)


def test_the_charge_is_the_metered_part_of_what_was_promised():
    contract = CONTRACT | {
        "start": at(0), "end": at(2), "rate_mm": [100, 300], "seconds": [3_600, 3_600], "untaxed_minor": 400,
    }  # fmt: skip
    half = SPAN | {"start": at(0), "end": at(1)}

    assert charge_due(contract, [half], {}) == 100
    assert charge_due(contract, [half, SPAN | {"start": at(1), "end": at(2)}], {}) == 400
