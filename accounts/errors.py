"""Refusals about who is asking."""

from marketplace.common.errors import DomainError


class AuthError(DomainError):
    """The caller could not be recognised."""

    code = "authentication_required"


class KeyRevoked(AuthError):
    """The key was right once: it has been revoked or has expired."""

    code = "key_revoked"


class ScopeMissing(DomainError):
    """The key was not given the scope that this call needs."""

    code = "scope_missing"


class RoleMissing(DomainError):
    """The caller has no role in the organization that allows this call."""

    code = "role_missing"


class IdempotencyKeyRequired(DomainError):
    """This call spends, promises or moves something and must carry an Idempotency-Key."""

    code = "idempotency_key_required"


class IdempotencyMismatch(DomainError):
    """The key has been used for another request."""

    code = "idempotency_mismatch"


class RequestInFlight(DomainError):
    """The first request with this key is still being answered."""

    code = "request_in_flight"
