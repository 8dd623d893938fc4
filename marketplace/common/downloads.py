"""Answers of the API that are files: a client may ask for their type by name, and saves them under one of ours."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import BaseRenderer


class AsItIs(BaseRenderer):
    """For the choice of a type alone: the view itself answers with bytes."""

    charset = None
    render_style = "binary"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        return data


class AsPdf(AsItIs):
    media_type = "application/pdf"
    format = "pdf"


class AsCsv(AsItIs):
    media_type = "text/csv"
    format = "csv"


def pdf_file(content: bytes, name: str) -> HttpResponse:
    """A PDF that a browser shows."""
    response = HttpResponse(content, content_type="application/pdf")
    _name(response, name, "inline")
    return response


def csv_file(rows: Iterable[str], name: str) -> StreamingHttpResponse:
    """A CSV that a browser saves, sent while it is written."""
    response = StreamingHttpResponse(rows, content_type="text/csv; charset=utf-8")
    _name(response, name, "attachment")
    return response


def _name(response: HttpResponseBase, name: str, how: str) -> None:
    """Give the answer a name made of plain letters; nobody on the way keeps it."""
    response["Content-Disposition"] = f'{how}; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
