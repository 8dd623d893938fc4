"""Files over HTTP: uploads by buyers, and the signed links that agents and buyers fetch and fill."""

import io

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.http import FileResponse, HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import current_organization
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.errors import DomainError, FieldProblem, NotFound, TooLarge, ValidationFailed
from marketplace.common.problems import problem_json
from scheduler.files import FILE_BYTES, read_link, store_output, store_upload
from scheduler.models import Artifact, Upload


class UploadsView(APIView):
    """Send a file ahead of a job."""

    scopes = {"POST": "jobs:write"}
    parser_classes = [MultiPartParser]

    @extend_schema(tags=["jobs"], request={"multipart/form-data": dict}, responses={201: dict})
    def post(self, request: Request) -> Response:
        """Keep one file for seven days."""
        content = request.FILES.get("file")
        if content is None:
            raise ValidationFailed([FieldProblem("/file", "bad_value", "send the file in the form field `file`")])
        upload = store_upload(owner=current_organization(request), content=content, now=utc_now())
        return Response(
            {
                "object": "upload",
                "id": upload.public_id,
                "size": upload.size,
                "sha256": upload.sha256,
                "expires_at": rfc3339(upload.expires_at),
            },
            status=201,
        )


@csrf_exempt
@require_http_methods(["GET", "HEAD", "PUT"])
def signed_file(request: HttpRequest, token: str) -> HttpResponseBase:
    """Whoever holds the link may read or write this one file."""
    try:
        return _receive(request, token) if request.method == "PUT" else _send(token)
    except DomainError as error:
        return problem_json(error, request)


def _send(token: str) -> FileResponse:
    public_id = read_link(token, "get")
    stored_as, name = _stored(public_id)
    response = FileResponse(default_storage.open(stored_as, "rb"), as_attachment=True, filename=name)
    response["Cache-Control"] = "private, no-store"
    return response


def _stored(public_id: str) -> tuple[str, str]:
    if public_id.startswith("upl_"):
        upload = Upload.objects.filter(public_id=public_id).first()
        if upload is not None:
            return upload.stored_as, public_id
    artifact = Artifact.objects.filter(public_id=public_id, stored_at__isnull=False).first()
    if artifact is None:
        raise NotFound("this file is not here any more")
    return artifact.stored_as, artifact.path.rsplit("/", 1)[-1]


def _receive(request: HttpRequest, token: str) -> JsonResponse:
    artifact = Artifact.objects.filter(public_id=read_link(token, "put")).first()
    if artifact is None:
        raise NotFound("nobody waits for this file")
    if int(request.headers.get("Content-Length") or 0) > FILE_BYTES:
        raise TooLarge(f"an output holds at most {FILE_BYTES // 2**20} MB")
    body = io.BytesIO(request.read(FILE_BYTES + 1))
    store_output(artifact=artifact, content=File(body), now=utc_now())
    return JsonResponse({"artifact": artifact.public_id, "size": artifact.size, "sha256": artifact.sha256}, status=201)
