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
    beside = data if isinstance(data, Mapping) else {}
    file = _in_reservation(_file_of(data), beside.get("reservation"))
    return file, _inputs(beside.get("inputs", []))


def _file_of(data: Any) -> JobFile:
    try:
        if isinstance(data, str):
            return parse(data)
        if isinstance(data, Mapping) and isinstance(data.get("file"), str) and set(data) <= ENVELOPE:
            return parse(data["file"])
        beside = {"inputs", "reservation"}
        tree = {key: value for key, value in data.items() if key not in beside} if isinstance(data, Mapping) else data
        return parse_tree(tree)
    except JobFileInvalid as error:
        problems = [FieldProblem(**{k: v for k, v in each.as_dict().items() if v is not None}) for each in error.errors]
        kind = UnsupportedField if error.code == UnsupportedField.code else BadJobFile
        raise kind(problems) from error


def _in_reservation(file: JobFile, named: Any) -> JobFile:
    """The file with the reservation that was named beside it."""
    if named is None or named == file.ask.reservation:
        return file
    if not isinstance(named, str):
        raise ValidationFailed([FieldProblem("/reservation", "bad_value", "must be the id of a reservation")])
    if file.ask.reservation:
        detail = f"the file names another reservation, {file.ask.reservation}"
        raise ValidationFailed([FieldProblem("/reservation", "bad_value", detail, "name it once")])
    return file.inside(named)


def _inputs(given: Any) -> list[Mapping[str, str]]:
    for number, each in enumerate(given if isinstance(given, list) else [None]):
        if not isinstance(each, Mapping) or not all(isinstance(each.get(key), str) for key in ("path", "upload")):
            detail = "each input needs a path and an upload"
            raise ValidationFailed([FieldProblem(f"/inputs/{number}", "bad_value", detail, '{"path", "upload"}')])
    return list(given)
