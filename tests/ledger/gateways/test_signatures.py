"""Webhooks in: what is genuine is taken by either processor, and every forgery is refused."""

import hmac
import json
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.ledger.gateways.base import SignatureInvalid
from marketplace.ledger.gateways.faults import NONE, Dice
from marketplace.ledger.gateways.sandbox import SandboxGateway
from marketplace.ledger.gateways.signatures import HEADER, MOST_BYTES, read_webhook, sign
from marketplace.ledger.gateways.stripe_gateway import StripeGateway
from tests.ledger.gateways.scene import SECRET, recipient
from tests.market import NOON

OURS, SECOND = "acct_platform", timedelta(seconds=1)
HEAD = f"t={int(NOON.timestamp())}"


def event(about=None, **changes):
    about = about or {"object": "payment_intent", "id": "pi_1"}
    thing = {
        "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": int(NOON.timestamp()),
        "livemode": False, "data": {"object": about},
    }  # fmt: skip
    return json.dumps(thing | changes).encode()


def signed(raw, secret=SECRET, at=NOON):
    return {HEADER: sign(raw=raw, secret=secret, at=at)}


def read(raw, headers, now=NOON, **changes):
    return read_webhook(raw=raw, headers=headers, now=now, recipient=recipient(account=OURS, **changes))


def digest(raw, secret=SECRET):
    return hmac.new(secret.encode(), f"{int(NOON.timestamp())}.".encode() + raw, sha256).hexdigest()


@pytest.mark.parametrize("gateway", [
    SandboxGateway(dice=Dice(NONE), secret=SECRET),
    StripeGateway(key="sk_test_1", base="http://127.0.0.1:1", recipient=recipient(account=OURS)),
], ids=lambda gateway: gateway.name)  # fmt: skip
def test_both_processors_take_what_is_genuine_and_only_that(gateway):
    raw = event()
    taken = gateway.verify_webhook(raw, signed(raw), NOON)

    assert (taken.id, taken.type, taken.subject, taken.object_id, taken.at) == (
        "evt_1", "payment_intent.succeeded", "payment", "pi_1", NOON,
    )  # fmt: skip
    with pytest.raises(SignatureInvalid):
        gateway.verify_webhook(raw, signed(raw, "whsec_other"), NOON)
    live = event(livemode=True)
    with pytest.raises(SignatureInvalid):
        gateway.verify_webhook(live, signed(live), NOON)


def test_while_a_secret_is_replaced_both_sign():
    raw = event()
    for secret in ("whsec_old", "whsec_new"):
        assert read(raw, signed(raw, secret), secrets=("whsec_old", "whsec_new")).id == "evt_1"
    both = {HEADER: f"{HEAD},v1={digest(raw, 'whsec_gone')},v1={digest(raw)},v0=00"}
    assert read(raw, both).id == "evt_1"


def test_the_name_of_the_header_may_be_written_in_any_case():
    raw = event()

    assert read(raw, {HEADER.upper(): signed(raw)[HEADER]}).id == "evt_1"


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_clocks_may_differ_by_five_minutes(seconds):
    raw = event()

    assert read(raw, signed(raw), now=NOON + timedelta(seconds=seconds)).id == "evt_1"


@pytest.mark.parametrize("seconds", [-86_400, -301, 301, 86_400])
def test_what_is_stale_or_of_the_future_is_refused(seconds):
    raw = event()

    with pytest.raises(SignatureInvalid, match="more than 300 s"):
        read(raw, signed(raw), now=NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize("header", [
    "", "t=1", "v1=00", f"{HEAD}", f"{HEAD},v1=", f"{HEAD},v1=00", "t=,v1=00", "t=x,v1=00", f"{HEAD},{HEAD},v1=00",
    "t=٣,v1=00", "t=-5,v1=00", "t=9999999999999999999,v1=00", f"{HEAD},v1=\udcff",
])  # fmt: skip
def test_a_header_that_is_none_is_refused(header):
    with pytest.raises(SignatureInvalid):
        read(event(), {HEADER: header})
    with pytest.raises(SignatureInvalid):
        read(event(), {"Other": signed(event())[HEADER]})


def test_a_signature_of_an_old_scheme_alone_is_refused():
    raw = event()

    with pytest.raises(SignatureInvalid):
        read(raw, {HEADER: f"{HEAD},v0={digest(raw)}"})


def test_one_time_for_the_signature_and_another_for_the_clock_is_refused():
    raw = event()
    later = int((NOON + timedelta(days=1)).timestamp())

    with pytest.raises(SignatureInvalid):
        read(raw, {HEADER: f"t={later},v1={digest(raw)}"}, now=NOON + timedelta(days=1))


@given(st.data())
def test_any_flipped_bit_is_refused(data):
    raw = event()
    place, bit = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 7))
    flipped = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]

    with pytest.raises(SignatureInvalid):
        read(flipped, signed(raw))


@given(st.integers(0, 63), st.sampled_from("0123456789abcdef"))
def test_any_other_digit_of_the_signature_is_refused(place, digit):
    raw = event()
    right = digest(raw)
    wrong = right[:place] + digit + right[place + 1 :]
    if wrong == right:
        return

    with pytest.raises(SignatureInvalid):
        read(raw, {HEADER: f"{HEAD},v1={wrong}"})


def test_nothing_is_signed_by_an_empty_secret_or_by_none():
    raw = event()

    for secrets in ((), ("",)):
        with pytest.raises(SignatureInvalid):
            read(raw, signed(raw, ""), secrets=secrets)


def test_the_other_mode_is_refused_whichever_is_ours():
    for ours in (True, False):
        raw = event(livemode=not ours)
        with pytest.raises(SignatureInvalid, match="other mode"):
            read(raw, signed(raw), livemode=ours)
        assert read(event(livemode=ours), signed(event(livemode=ours)), livemode=ours).id == "evt_1"


@pytest.mark.parametrize("mode", [None, 0, "false", ""])
def test_a_mode_that_is_none_is_the_other_mode(mode):
    raw = event(livemode=mode)

    with pytest.raises(SignatureInvalid, match="other mode"):
        read(raw, signed(raw))


def test_another_account_is_refused_and_our_own_may_be_named():
    named, other = event(account=OURS), event(account="acct_other")

    assert read(named, signed(named)).id == "evt_1"
    with pytest.raises(SignatureInvalid, match="another account"):
        read(other, signed(other))


def test_a_payee_is_heard_about_itself_and_about_nothing_else():
    itself = event({"object": "account", "id": "acct_payee"}, type="account.updated", account="acct_payee")
    another = event({"object": "account", "id": "acct_third"}, type="account.updated", account="acct_payee")
    payment = event(account="acct_payee")

    taken = read(itself, signed(itself))
    assert (taken.subject, taken.object_id) == ("payee", "acct_payee")
    for raw in (another, payment):
        with pytest.raises(SignatureInvalid, match="another account"):
            read(raw, signed(raw))


def test_a_body_of_256_kb_is_read_and_one_byte_more_is_not():
    raw = event(pad="")
    full = event(pad="x" * (MOST_BYTES - len(raw)))
    over = event(pad="x" * (MOST_BYTES - len(raw) + 1))

    assert len(full) == MOST_BYTES == 256 * 1024
    assert read(full, signed(full)).id == "evt_1"
    with pytest.raises(SignatureInvalid, match="larger"):
        read(over, signed(over))


@pytest.mark.parametrize("raw", [
    b"", b"{", b"[]", b"null", b"7", b"{}", b"\xff\xfe", b"[" * 5_000, event(data={}), event(data={"object": 7}),
    event(id=None), event(id=""), event(type=None), event(created="soon"), event(created=1e30), event(data=None),
    event(created=None),
])  # fmt: skip
def test_a_signed_body_that_is_no_event_is_refused(raw):
    with pytest.raises(SignatureInvalid, match="no event"):
        read(raw, signed(raw))


@pytest.mark.parametrize(("about", "subject", "name"), [
    ({"object": "checkout.session", "id": "cs_1", "payment_intent": "pi_1"}, "payment", "pi_1"),
    ({"object": "checkout.session", "id": "cs_1", "payment_intent": None}, "payment", "cs_1"),
    ({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"}, "payment", "pi_1"),
    ({"object": "refund", "id": "re_1"}, "refund", "re_1"),
    ({"object": "capability", "id": "transfers", "account": "acct_1"}, "payee", "acct_1"),
    ({"object": "transfer", "id": "tr_1"}, "transfer", "tr_1"),
    ({"object": "dispute", "id": "du_1"}, "dispute", "du_1"),
    ({"object": "payout", "id": "po_1"}, "payout", "po_1"),
    ({"object": "invoice", "id": "in_1"}, "", ""),
    ({"object": "balance"}, "", ""),
])  # fmt: skip
def test_an_event_says_what_to_fetch(about, subject, name):
    raw = event(about)
    taken = read(raw, signed(raw))

    assert (taken.subject, taken.object_id) == (subject, name)
