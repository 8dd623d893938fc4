"""The verdict on a receipt file: every check by name, what failed first, and what nobody can know offline."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .checks import CHECKS, Check
from .files import ReceiptFile, Version, base64url_bytes, read_file, read_header, shortened
from .shapes import shape_faults

ALGORITHMS = {"Ed25519", "EdDSA"}  # RFC 9864, and RFC 8037, which it replaces
UNKNOWN = (
    "whether a newer version exists: ask the market that issued it",
    "what the registries' books say of the certificates",
)


@dataclass(frozen=True)
class Outcome:
    """What became of a file: `code` is valid, check_failed, key_untrusted or sample_data; `checks` in their order."""

    code: str
    checks: tuple[Check, ...]
    receipt: str
    version: int
    status: str
    sample: bool
    sha256: str
    unknown: tuple[str, ...] = UNKNOWN

    @property
    def ok(self) -> bool:
        """Whether everything holds and is evidence."""
        return self.code == "valid"

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.ok)


def verify(data: bytes, *, keys: Mapping[str, bytes] | None = None) -> Outcome:
    """Verify a receipt file; `keys` are the public keys that are trusted, by their thumbprints.

    Without them only the keys in the file can be asked, which anybody could have put there: the outcome is then at best
    `key_untrusted`. Raises Unreadable for what is no receipt file.
    """
    file = read_file(data)
    checks = [*_signatures(file, {**file.keys, **(keys or {})}), *_chain(file)]
    for number, version in enumerate(file.versions, start=1):
        checks += list(_figures(number, version))
    last = file.versions[-1].payload
    trusted = keys is not None and all(_kid(version) in keys for version in file.versions)
    return Outcome(
        code=_code(checks, trusted, last), checks=tuple(checks), receipt=_text(last.get("id")),
        version=_number(last.get("version")), status=_text(last.get("status")), sample=bool(last.get("sample")),
        sha256=_sha256(last) or "",
    )  # fmt: skip


def _code(checks: list[Check], trusted: bool, last: Mapping[str, Any]) -> str:
    if not all(check.ok for check in checks):
        return "check_failed"
    if not trusted:
        return "key_untrusted"
    return "sample_data" if last.get("sample") else "valid"


def _signatures(file: ReceiptFile, keys: Mapping[str, bytes]) -> Iterator[Check]:
    for number, version in enumerate(file.versions, start=1):
        yield Check(number, "signature", _signature_fault(version, keys))


def _signature_fault(version: Version, keys: Mapping[str, bytes]) -> str:
    parts = version.jws.split(".")
    decoded = [base64url_bytes(part) for part in parts]
    if len(parts) != 3 or None in decoded:
        return "it is no compact JWS"
    head, content, signature = (part or b"" for part in decoded)
    header = read_header(head)
    if str(header.get("alg")) not in ALGORITHMS:
        return f"its algorithm is {shortened(repr(header.get('alg')))}, only Ed25519 is accepted"
    if "crit" in header:
        return "its header has conditions that this program does not know"
    key = keys.get(str(header.get("kid")))
    if key is None:
        return "the key that it names is neither in the file nor among the trusted ones"
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, f"{parts[0]}.{parts[1]}".encode())
    except InvalidSignature:
        return "it is not of these bytes"
    return "" if _canonical(version.payload) == content else "the payload is not the text that was signed"


def _kid(version: Version) -> str:
    head = base64url_bytes(version.jws.split(".")[0])
    return str(read_header(head or b"").get("kid"))


def _canonical(payload: Mapping[str, Any]) -> bytes | None:
    try:
        return rfc8785.dumps(dict(payload))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):  # half a character in a text, or in a name
        return None


def _sha256(payload: Mapping[str, Any]) -> str | None:
    content = _canonical(payload)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _chain(file: ReceiptFile) -> Iterator[Check]:
    """Versions count from 1, name the hash of the one before, and are of one receipt and subject."""
    before: Mapping[str, Any] | None = None
    for number, version in enumerate(file.versions, start=1):
        payload, fault = version.payload, ""
        if payload.get("version") != number:
            fault = f"it is version {shortened(repr(payload.get('version')))}, expected {number}"
        elif payload.get("prev_sha256") != (_sha256(before) if before else None):
            fault = "it does not carry the hash of the version before"
        elif before and any(payload.get(name) != before.get(name) for name in ("id", "subject", "buyer", "period")):
            fault = "it is of another receipt than the version before"
        yield Check(number, "chain", fault)
        before = payload


def _figures(number: int, version: Version) -> Iterator[Check]:
    """What is not of its shape is not computed with."""
    shapeless = shortened(next(shape_faults(version.payload), ""))
    yield Check(number, "shape", shapeless)
    if not shapeless:
        for kind, faults in CHECKS.items():
            yield Check(number, kind, shortened(next(faults(version.payload), "")))


def _text(value: Any) -> str:
    return shortened(str(value))


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
