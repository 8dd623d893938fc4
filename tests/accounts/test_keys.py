"""Keys as text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.keys import MalformedKey, check_digits, digest_of, is_same_secret, make_key, parse_key
from marketplace.common.ids import BASE62, new_id


def test_a_key_says_its_row_and_its_kind_and_reads_back():
    public_id = new_id("key")

    text = make_key(public_id, live=True)

    assert re.fullmatch(r"jm_live_[0-9A-Za-z]{22}_[0-9A-Za-z]{38}", text)
    read = parse_key(text)
    assert (read.public_id, read.live, len(read.secret)) == (public_id, True, 32)


def test_two_keys_of_one_row_never_share_a_secret():
    public_id = new_id("key")

    assert parse_key(make_key(public_id, live=False)).secret != parse_key(make_key(public_id, live=False)).secret


@given(place=st.integers(8, 68), letter=st.sampled_from(BASE62))
def test_one_wrong_character_anywhere_is_noticed_before_any_database_is_asked(place: int, letter: str):
    text = make_key("key_" + "a" * 22, live=False)
    wrong = text[:place] + letter + text[place + 1 :]
    if wrong == text:
        return

    with pytest.raises(MalformedKey):
        parse_key(wrong)


@pytest.mark.parametrize("text", ["", "jm_test_", "jm_prod_" + "a" * 22 + "_" + "b" * 38, "sk_live_123", "x" * 10_000])
def test_text_of_another_shape_is_refused(text: str):
    with pytest.raises(MalformedKey):
        parse_key(text)


def test_the_check_digits_are_the_crc32_in_base62():
    # crc32(b"123456789") is 0xCBF43926 = 3421780262, the published check value of CRC-32.
    number = 0
    for digit in check_digits("123456789"):
        number = number * 62 + BASE62.index(digit)

    assert number == 0xCBF43926


def test_only_the_same_secret_has_the_digest():
    assert is_same_secret("open sesame", digest_of("open sesame"))
    assert not is_same_secret("open sesami", digest_of("open sesame"))
