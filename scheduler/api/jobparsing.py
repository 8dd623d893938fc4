"""A job arrives as YAML, as the same tree in JSON, or as a file's text beside its uploaded inputs."""

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.parsers import BaseParser

from marketplace.common.errors import FieldProblem, TooLarge, ValidationFailed
from scheduler.jobfile import JobFile, JobFileInvalid, parse, parse_tree

FILE_BYTES = 256 * 1024
ENVELOPE = {"file", "inputs", "quote", "reservation"}


class BadJobFile(ValidationFailed):
    """The job file cannot become a job; every problem is listed with its line."""

    code: ClassVar[str] = "job_file_invalid"


class UnsupportedField(ValidationFailed):
    """The job file asks for what Joulemart does not do."""

    code: ClassVar[str] = "job_field_unsupported"


class YamlParser(BaseParser):
    """Hands the text of a job file on as it came."""

    media_type = "application/yaml"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        raw = stream.read(FILE_BYTES + 1)
        if len(raw) > FILE_BYTES:
            raise TooLarge("a job file holds at most 256 kB")
        try:
            return str(raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BadJobFile([FieldProblem("", "job_file_invalid", f"not UTF-8: {error}")]) from error


def job_from(data: Any) -> tuple[JobFile, list[Mapping[str, str]]]:
    """(job file, [{path, upload}]) of a request's body.

    Raises BadJobFile or UnsupportedField with every problem and its line.
    """
    try:
        if isinstance(data, str):
            return parse(data), []
        if isinstance(data, Mapping) and isinstance(data.get("file"), str) and set(data) <= ENVELOPE:
            return parse(data["file"]), _inputs(data.get("inputs", []))
        tree = {key: value for key, value in data.items() if key != "inputs"} if isinstance(data, Mapping) else data
        return parse_tree(tree), _inputs(data.get("inputs", []) if isinstance(data, Mapping) else [])
    except JobFileInvalid as error:
        problems = [FieldProblem(**{k: v for k, v in each.as_dict().items() if v is not None}) for each in error.errors]
        kind = UnsupportedField if error.code == UnsupportedField.code else BadJobFile
        raise kind(problems) from error


def _inputs(given: Any) -> list[Mapping[str, str]]:
    for number, each in enumerate(given if isinstance(given, list) else [None]):
        if not isinstance(each, Mapping) or not all(isinstance(each.get(key), str) for key in ("path", "upload")):
            detail = "each input needs a path and an upload"
            raise ValidationFailed([FieldProblem(f"/inputs/{number}", "bad_value", detail, '{"path", "upload"}')])
    return list(given)
