"""Files in and out: buyers' uploads, agents' outputs, and the signed links they travel by."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import IO

from django.core import signing
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from accounts.models import ApiKey, Organization
from marketplace.common.errors import FieldProblem, NotFound, TooLarge, ValidationFailed
from marketplace.common.ids import new_id
from scheduler.leases import hold
from scheduler.models import Artifact, Upload

FILE_BYTES = 64 * 1024 * 1024
LINK_SECONDS = 24 * 3600
KEPT_FOR = timedelta(days=7)
SALT = "joulemart.files"


def store_upload(*, owner: Organization, content: File, now: datetime) -> Upload:  # type: ignore[type-arg]
    """Keep a buyer's file for a job to come. Raises TooLarge over 64 MB."""
    if (content.size or 0) > FILE_BYTES:
        raise TooLarge(f"a file holds at most {FILE_BYTES // 2**20} MB", bytes=content.size)
    public_id = new_id("upl")
    digest, size = _digest(content)
    stored_as = default_storage.save(f"uploads/{public_id}", content)
    return Upload.objects.create(
        public_id=public_id, owner=owner, size=size, sha256=digest, stored_as=stored_as,
        created_at=now, expires_at=now + KEPT_FOR,
    )  # fmt: skip


@transaction.atomic
def promise_output(
    *, lease: str, key: ApiKey, epoch: int, path: str, size: int, sha256: str, now: datetime
) -> Artifact:
    """Announce an output file; its bytes follow by signed link. A repeat answers the same artifact.

    Raises LeaseFenced, TooLarge, ValidationFailed for a path that leaves the job's folder.
    """
    attempt = hold(lease, epoch, key).attempt
    check_path(path, "/path")
    if size > FILE_BYTES:
        raise TooLarge(f"an output holds at most {FILE_BYTES // 2**20} MB", path=path, bytes=size)
    artifact, _ = Artifact.objects.update_or_create(
        attempt=attempt, path=path, defaults={"size": size, "sha256": sha256, "stored_at": None},
        create_defaults={"size": size, "sha256": sha256, "created_at": now},
    )  # fmt: skip
    return artifact


def store_output(*, artifact: Artifact, content: File, now: datetime) -> Artifact:  # type: ignore[type-arg]
    """Keep the bytes of an announced output if size and hash are as promised; else ValidationFailed, nothing kept."""
    digest, size = _digest(content)
    if (digest, size) != (artifact.sha256, artifact.size):
        problem = FieldProblem("", "bad_value", f"{artifact.path} came with {size} bytes and hash {digest}")
        raise ValidationFailed([problem])
    stored_as = default_storage.save(f"outputs/{artifact.public_id}", content)
    Artifact.objects.filter(pk=artifact.pk).update(stored_as=stored_as, stored_at=now)
    artifact.stored_as, artifact.stored_at = stored_as, now
    return artifact


def check_path(path: str, pointer: str) -> None:
    """A path inside the job's folder: relative, no `..`, no empty part."""
    parts = PurePosixPath(path).parts
    if not path or "\0" in path or path.startswith("/") or ".." in parts or len(path) > 400:
        detail = f"{path!r} is not a relative path inside the job's folder"
        raise ValidationFailed([FieldProblem(pointer, "bad_value", detail, hint="results/out.txt")])


def link(kind: str, public_id: str) -> str:
    """A signed path that lets whoever has it read (`get`) or write (`put`) one file for a day."""
    return f"/files/{signing.dumps([kind, public_id], salt=SALT)}"


def read_link(token: str, kind: str) -> str:
    """The public id a link speaks of. Raises NotFound when it is forged, spent or of another kind."""
    try:
        said, public_id = signing.loads(token, salt=SALT, max_age=LINK_SECONDS)
    except signing.BadSignature as error:
        raise NotFound("this link is not valid any more", hint="ask for the file again to get a fresh link") from error
    if said != kind:
        raise NotFound("this link does not allow that")
    return str(public_id)


def _digest(content: IO[bytes] | File) -> tuple[str, int]:  # type: ignore[type-arg]
    digest, size = hashlib.sha256(), 0
    content.seek(0)
    for block in _blocks(content):
        digest.update(block)
        size += len(block)
    content.seek(0)
    return digest.hexdigest(), size


def _blocks(content: IO[bytes] | File) -> Iterator[bytes]:  # type: ignore[type-arg]
    while block := content.read(1 << 20):
        yield block
