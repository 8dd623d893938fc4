"""API keys as text: `jm_{live|test}_<22 base62 of the public id>_<32 base62 secret><6 base62 CRC32>`.

The CRC lets a typing error, or a scanner for leaked secrets, be told apart without asking the database. Only the
SHA-256 of the secret is ever stored: 32 random base62 digits (190 bits) need no slow hash.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from dataclasses import dataclass

from marketplace.common.ids import BASE62

SECRET_LENGTH = 32
CRC_LENGTH = 6
SHAPE = re.compile(r"jm_(live|test)_([0-9A-Za-z]{22})_([0-9A-Za-z]{32,128})([0-9A-Za-z]{6})")


class MalformedKey(ValueError):
    """The text is no key of ours: wrong shape, or its check digits do not fit."""


@dataclass(frozen=True, slots=True)
class KeyText:
    """The parts of a key that was read: whose it claims to be, and the proof."""

    public_id: str
    live: bool
    secret: str


def make_key(public_id: str, *, live: bool) -> str:
    """A fresh key for the row `public_id` (`key_…`); this text is the only copy of its secret."""
    secret = "".join(secrets.choice(BASE62) for _ in range(SECRET_LENGTH))
    body = f"jm_{'live' if live else 'test'}_{public_id.removeprefix('key_')}_{secret}"
    return body + check_digits(body)


def parse_key(text: str) -> KeyText:
    """The parts of `text`, its check digits verified; raises MalformedKey."""
    match = SHAPE.fullmatch(text)
    if match is None:
        raise MalformedKey("an API key looks like jm_test_…_… or jm_live_…_…")
    if not hmac.compare_digest(check_digits(text[:-CRC_LENGTH]), match[4]):
        raise MalformedKey("the last 6 characters of the key do not fit the rest: copy it again")
    return KeyText(public_id=f"key_{match[2]}", live=match[1] == "live", secret=match[3])


def digest_of(secret: str) -> str:
    """The SHA-256 of a secret in hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same_secret(secret: str, digest: str) -> bool:
    """Whether `secret` has this digest, compared in constant time."""
    return hmac.compare_digest(digest_of(secret), digest)


def check_digits(body: str) -> str:
    """CRC32 of `body` as 6 base62 digits, most significant first."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CRC_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits
