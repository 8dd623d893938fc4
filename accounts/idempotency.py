"""One request, one effect: a retry with the same Idempotency-Key gets the first answer again.

The key's row is inserted before anything else, inside the transaction of the effect. Eight copies of a request thus
queue at the row's primary key: the first does the work, the rest wait (at most 3 s) and replay its stored answer. When
the first fails, its row goes with its transaction, and the next may try. Keys are kept for a day.
"""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
import structlog
from django.core.files.uploadedfile import UploadedFile
from django.db import OperationalError, connection, transaction
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import IdempotencyKeyRequired, IdempotencyMismatch, RequestInFlight
from accounts.models import IdempotencyKey
from accounts.tenancy import actor_of
from marketplace.common.clock import moment_of
from marketplace.common.errors import FieldProblem, InvalidParameter

log = structlog.get_logger(__name__)

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
LOCK_SECONDS = 3
REPLAYED_HEADERS = ("Location", "ETag", "Preference-Applied")

P = ParamSpec("P")
View = TypeVar("View")
Method = Callable[Concatenate[View, Request, P], Response]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with, as it is stored for a retry."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False


def idempotent(*, required: bool = False) -> Callable[[Method[View, P]], Method[View, P]]:
    """Make a POST method of a REST framework view safe to retry; the whole method is one transaction.

    A method that spends, promises or moves credit says `required=True`: without `Idempotency-Key` it raises
    IdempotencyKeyRequired; elsewhere the header is a choice. `dry_run=true` stores nothing and needs no key. Waiting
    for what comes after the effect (`Prefer: wait`) belongs outside the method: it would hold the transaction open. An
    answer of 400 or more rolls everything back, the key too.
    """

    def decorate(method: Method[View, P]) -> Method[View, P]:
        @functools.wraps(method)
        def wrapped(view: View, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Response:
            if _is_without_key(request, required=required):
                return method(view, request, *args, **kwargs)
            answer = once(
                actor=actor_of(request),
                key=key_of_request(request),
                fingerprint=fingerprint_of(request),
                now=moment_of(request),
                effect=lambda: _answer_of(method(view, request, *args, **kwargs)),
            )
            headers = dict(answer.headers) | ({"Idempotent-Replayed": "true"} if answer.replayed else {})
            return Response(answer.body, status=answer.status, headers=headers)

        return wrapped

    return decorate


def _is_without_key(request: Request, *, required: bool) -> bool:
    dry = request.query_params.get("dry_run") == "true"
    return dry or (not required and "Idempotency-Key" not in request.headers)


def once(*, actor: str, key: str, fingerprint: str, now: datetime, effect: Callable[[], Answer]) -> Answer:
    """Do `effect` unless this actor's key has had one, and answer the same either way.

    Raises IdempotencyMismatch when the key came with another request, RequestInFlight when the first one is still
    being answered after 3 s, and whatever `effect` raises; in each case nothing is stored. A deadlock is tried once
    more.
    """
    try:
        return _once(actor, key, fingerprint, now, effect)
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.DeadlockDetected):
            raise
        log.warning("deadlock, trying once more", actor=actor)
        return _once(actor, key, fingerprint, now, effect)


def _once(actor: str, key: str, fingerprint: str, now: datetime, effect: Callable[[], Answer]) -> Answer:
    with transaction.atomic(durable=True):
        if not _claim(actor, key, fingerprint, now):
            return _stored(actor, key, fingerprint)
        answer = effect()
        if answer.status >= 400:
            transaction.set_rollback(True)
        else:
            IdempotencyKey.objects.of_actor(actor, key).update(
                status=answer.status, body=answer.body, headers=dict(answer.headers)
            )
        return answer


def _claim(actor: str, key: str, fingerprint: str, now: datetime) -> bool:
    """Insert the key's row; False when it is there already. Waits for a transaction that is inserting the same."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        try:
            cursor.execute(
                "INSERT INTO accounts_idempotencykey (actor, key, fingerprint, headers, created_at)"
                " VALUES (%s, %s, %s, '{}', %s) ON CONFLICT DO NOTHING",
                [actor, key, fingerprint, now],
            )
        except OperationalError as error:
            if isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise RequestInFlight(
                    "the first request with this Idempotency-Key is still being answered", hint="try again in a second"
                ) from error
            raise
        return bool(cursor.rowcount == 1)


def _stored(actor: str, key: str, fingerprint: str) -> Answer:
    row = IdempotencyKey.objects.of_actor(actor, key).get()
    if row.fingerprint != fingerprint:
        raise IdempotencyMismatch(
            "this Idempotency-Key was used for another request in the last 24 h", hint="use a new key for a new request"
        )
    return Answer(status=row.status or 200, body=row.body, headers=row.headers, replayed=True)


def key_of_request(request: Request) -> str:
    """The request's Idempotency-Key; raises IdempotencyKeyRequired, InvalidParameter when it cannot be one."""
    key: str = request.headers.get("Idempotency-Key", "").strip()
    if not key:
        raise IdempotencyKeyRequired(
            "this call must carry an Idempotency-Key, so that a retry cannot do it twice", hint="a fresh UUID per call"
        )
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidParameter(
            [FieldProblem("Idempotency-Key", "invalid_parameter", f"at most {LONGEST_KEY} printable characters")]
        )
    return key


def fingerprint_of(request: Request) -> str:
    """SHA-256 of method, path with query, and the body in one canonical form."""
    canonical = json.dumps(request.data, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256("\n".join([str(request.method), request.get_full_path(), canonical]).encode()).hexdigest()


def _plain(value: Any) -> str:
    """An uploaded file as the hash of its bytes, anything else as its text."""
    if not isinstance(value, UploadedFile):
        return str(value)
    digest = hashlib.sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return digest.hexdigest()


def _answer_of(response: Response) -> Answer:
    """The response as plain JSON, as its bytes would say it."""
    body = None if response.data is None else json.loads(JSONRenderer().render(response.data))
    headers = {name: response[name] for name in REPLAYED_HEADERS if name in response}
    return Answer(status=response.status_code, body=body, headers=headers)


def prune(*, now: datetime) -> int:
    """Forget keys older than a day; the number of them."""
    deleted, _ = IdempotencyKey.objects.forgotten(now, KEPT).delete()
    return deleted
