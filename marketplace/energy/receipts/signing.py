"""The bytes of a receipt and their signature: RFC 8785 JSON, SHA-256, compact JWS by Ed25519 (RFC 8037, RFC 9864)."""

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from marketplace.energy.errors import ReceiptNumberTooLarge

ALGORITHM = "Ed25519"


def base64url(data: bytes) -> str:
    """Without padding, as JOSE writes it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def canonical(payload: dict[str, Any]) -> bytes:
    """The one text of a payload (RFC 8785). Raises ReceiptNumberTooLarge for a number that JSON cannot hold exactly."""
    try:
        return rfc8785.dumps(payload)
    except rfc8785.IntegerDomainError as error:
        raise ReceiptNumberTooLarge(str(error)) from error


def sha256_of(content: bytes) -> str:
    """The hash of the canonical bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def thumbprint(x: str) -> str:
    """The `kid` of a public Ed25519 key `x` (base64url): the SHA-256 of its required members (RFC 7638)."""
    members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return base64url(hashlib.sha256(members.encode()).digest())


@dataclass(frozen=True)
class Signer:
    """A private key made of a secret text, and what is published of it."""

    secret: str

    @cached_property
    def key(self) -> Ed25519PrivateKey:
        """The same secret gives the same key."""
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(self.secret.encode()).digest())

    @cached_property
    def x(self) -> str:
        """The public key, base64url."""
        return base64url(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @cached_property
    def kid(self) -> str:
        """The name of the key."""
        return thumbprint(self.x)

    def sign(self, content: bytes) -> str:
        """`content` as a compact JWS."""
        header = json.dumps({"alg": ALGORITHM, "kid": self.kid, "typ": "joulemart-receipt+jws"}, separators=(",", ":"))
        signed = f"{base64url(header.encode())}.{base64url(content)}"
        return f"{signed}.{base64url(self.key.sign(signed.encode()))}"


def jwk_of(x: str) -> dict[str, str]:
    """A public key as it is published (RFC 7517)."""
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "kid": thumbprint(x), "use": "sig", "alg": ALGORITHM}
