"""Files of evidence over HTTP: a table as the body, or as the form field `file`; and what became of it."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.common.clock import rfc3339
from marketplace.common.errors import FieldProblem, TooLarge, ValidationFailed
from marketplace.energy.imports.sheets import MOST_BYTES
from marketplace.energy.models import ImportFile, ImportState

FORM = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}
TABLE = {"text/csv": OpenApiTypes.STR, "multipart/form-data": FORM}


class TableParser(BaseParser):
    """A table of at most 50 MB as it came."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """The bytes; raises TooLarge."""
        raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise TooLarge(f"a table has at most {MOST_BYTES} bytes", max_bytes=MOST_BYTES)
        return raw


PARSERS = (TableParser, MultiPartParser)


def table_of(request: Request) -> bytes:
    """The table that was sent; raises TooLarge, ValidationFailed where there is none."""
    if isinstance(request.data, bytes):
        return request.data
    sent = request.FILES.get("file")
    if sent is None:
        raise ValidationFailed([FieldProblem("/file", "required", "send the table in the form field `file`")])
    if (sent.size or 0) > MOST_BYTES:
        raise TooLarge(f"a table has at most {MOST_BYTES} bytes", max_bytes=MOST_BYTES)
    content: bytes = sent.read()
    return content


def table_from(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows of JSON as a table, the first in its line 2."""
    headings = list(dict.fromkeys(name for row in rows for name in row))
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows([["" if row.get(name) is None else str(row[name]) for name in headings] for row in rows])
    return sheet.getvalue().encode()


def answer_of(result: ImportFile, *, now: datetime, of_rows: bool = False) -> Response:
    """201, or 200 for what was imported before; raises ValidationFailed with the faults of a file that was refused."""
    if result.state == ImportState.REFUSED:
        raise ValidationFailed(
            [_problem(fault, of_rows) for fault in result.errors],
            detail=f"{result.faults} faults: nothing was imported", faults=result.faults,
        )  # fmt: skip
    body = {
        "object": "import",
        "kind": result.kind,
        "state": result.state,
        "scope": result.scope or None,
        "rows": result.rows,
        "incomplete_hours": result.incomplete,
        "sha256": result.sha256,
        "imported_at": rfc3339(result.imported_at),
    }
    return Response(body, status=201 if result.imported_at == now else 200)


def _problem(fault: Mapping[str, Any], of_rows: bool) -> FieldProblem:
    pointer = f"/rows/{fault['line'] - 2}/{fault['column']}" if of_rows and fault["line"] > 1 else ""
    return FieldProblem(
        pointer, fault["code"], fault["detail"], fault["hint"], line=fault["line"], column=fault["column"]
    )
