"""A job that could not be paid yet is kept with its person's session while they top up."""

from collections.abc import Sequence

from django.http import HttpRequest

from accounts.models import Organization
from scheduler.models import Upload

DRAFT = "job_draft"


def keep_draft(request: HttpRequest, text: str, inputs: Sequence[tuple[str, Upload]]) -> None:
    """Keep the job file and the names of its files; the one kept before is forgotten."""
    request.session[DRAFT] = {"file": text, "inputs": [[path, str(upload.public_id)] for path, upload in inputs]}


def kept_draft(request: HttpRequest, organization: Organization) -> tuple[str, list[tuple[str, Upload]]]:
    """The job file that was kept, and those of its files that are still there; an empty one where there is none."""
    kept = request.session.get(DRAFT, {"file": "", "inputs": []})
    named = {public_id: path for path, public_id in kept["inputs"]}
    found = Upload.objects.filter(owner=organization, public_id__in=named)
    return kept["file"], [(named[str(each.public_id)], each) for each in found]
