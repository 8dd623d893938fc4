"""Receipt files and keys: JSON read strictly, so that one text means one thing."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 20 * 1024 * 1024
MOST_DEPTH = 20  # of lists and objects in each other; a receipt has 8
MOST_VERSIONS = 100
LONGEST_NUMBER = 17  # digits with a sign; 2^53 has 16
LONGEST_SHOWN = 200  # characters of a strange text that a message repeats
FILE_SCHEMA = "joulemart-green-receipt-file/1"
PAYLOAD_SCHEMA = "joulemart-green-receipt/1"


class Unreadable(ValueError):
    """The bytes are no receipt file, or no key set."""


@dataclass(frozen=True)
class Version:
    """One version: what is written, and the compact JWS of it."""

    payload: dict[str, Any]
    jws: str


@dataclass(frozen=True)
class ReceiptFile:
    """All versions of one receipt, the first one first, and the public keys that came with it."""

    versions: tuple[Version, ...]
    keys: Mapping[str, bytes]


def read_file(data: bytes) -> ReceiptFile:
    """A receipt file. Raises Unreadable with the reason."""
    document = _json(data)
    if document.get("schema") != FILE_SCHEMA:
        schema = shortened(repr(document.get("schema")))
        raise Unreadable(f"this is no receipt file: its schema is {schema}, not {FILE_SCHEMA!r}")
    versions = document.get("versions")
    if not isinstance(versions, list) or not versions:
        raise Unreadable("the file has no versions")
    if len(versions) > MOST_VERSIONS:
        raise Unreadable(f"the file has {len(versions)} versions, at most {MOST_VERSIONS} are read")
    return ReceiptFile(tuple(map(_version, versions)), _keys(document.get("keys", {"keys": []})))


def read_header(data: bytes) -> dict[str, Any]:
    """The header of a JWS; empty where it cannot be read."""
    try:
        return _json(data)
    except Unreadable:
        return {}


def shortened(text: str) -> str:
    """The beginning of a text that may be of any length."""
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def read_keys(data: bytes) -> dict[str, bytes]:
    """A JSON Web Key Set: {kid: public key}. Keys of other kinds are passed over; Unreadable for anything else."""
    return _keys(_json(data))


def _version(raw: Any) -> Version:
    if not isinstance(raw, dict) or not isinstance(raw.get("payload"), dict) or not isinstance(raw.get("jws"), str):
        raise Unreadable("each version needs a payload and its jws")
    if raw["payload"].get("schema") != PAYLOAD_SCHEMA:
        schema = shortened(repr(raw["payload"].get("schema")))
        raise Unreadable(f"a version is of schema {schema}, this program knows {PAYLOAD_SCHEMA!r}")
    return Version(raw["payload"], raw["jws"])


def _keys(document: Any) -> dict[str, bytes]:
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unreadable("a key set is an object with a list of keys")
    keys = {}
    for key in listed:
        if isinstance(key, dict) and key.get("kty") == "OKP" and key.get("crv") == "Ed25519":
            raw = base64url_bytes(str(key.get("x", "")))
            if raw is None or len(raw) != 32:
                raise Unreadable("a key of the set is no Ed25519 key")
            keys[thumbprint(str(key["x"]))] = raw
    return keys


def thumbprint(x: str) -> str:
    """The name of a public key by its own bytes (RFC 7638), whatever the set calls it."""
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()


def base64url_bytes(text: str) -> bytes | None:
    """The bytes of unpadded base64url; None where it is none, or not the one way to write them."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == text else None


def _json(data: bytes) -> dict[str, Any]:
    """One JSON object without repeated names, fractions, or numbers and depths no receipt has. Raises Unreadable."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"the file has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        document = json.loads(
            data, object_pairs_hook=_once, parse_int=_whole, parse_float=_no_fraction, parse_constant=_no_fraction
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(f"this is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable("this is no JSON object")
    if _is_deeper(document, MOST_DEPTH):
        raise Unreadable(f"the file nests more than {MOST_DEPTH} lists and objects in each other")
    return document


def _is_deeper(tree: Any, levels: int) -> bool:
    level = [tree]
    for _ in range(levels):
        level = [inner for each in level for inner in _parts(each)]
    return any(isinstance(each, dict | list) for each in level)


def _parts(tree: Any) -> Iterable[Any]:
    if isinstance(tree, dict):
        return tree.values()
    return tree if isinstance(tree, list) else ()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a name occurs twice in one object")
    return found


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise Unreadable(f"a receipt has no number of {len(text)} digits")
    return int(text)


def _no_fraction(text: str) -> Any:
    raise Unreadable(f"a receipt has whole numbers only, not {shortened(text)}")
