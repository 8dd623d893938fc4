"""Answers of the API that are files: a client may ask for their type by name, and saves them under one of ours."""

from collections.abc import Iterable

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.renderers import JSONRenderer


class AsPdf(JSONRenderer):
    """Lets a client ask for this type: the view answers with a file, and a problem is JSON as everywhere."""

    media_type = "application/pdf"
    format = "pdf"


class AsCsv(JSONRenderer):
    """As AsPdf, for tables."""

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
