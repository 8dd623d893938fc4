"""Whatever goes wrong becomes a problem with a code, and nothing internal leaves."""

import ast
import json
from http import HTTPStatus

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from django.test import RequestFactory
from django.utils import translation
from rest_framework import exceptions as rest
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from marketplace.common import errors
from marketplace.common.codes import CODES
from marketplace.common.errors import DomainError, FieldProblem, ValidationFailed
from marketplace.common.problems import problem_json, problem_of_code
from tests.architecture.source import product_files, tree


class Raises(APIView):
    """Raises what the test puts here."""

    public = True
    error: Exception = Exception()

    def get(self, request):
        raise self.error

    def post(self, request):
        return Response(request.data)


def answer(error: Exception) -> Response:
    request = APIRequestFactory().get("/api/v1/things")
    request.request_id = "req_1"
    return Raises.as_view(error=error)(request)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NotFound("no thing"), 404, "not_found"),
        (errors.IllegalState("over"), 409, "illegal_state"),
        (errors.StaleVersion("old"), 412, "stale_version"),
        (errors.InvalidParameter([FieldProblem("limit", "invalid_parameter", "too many")]), 400, "invalid_parameter"),
        (errors.PreconditionRequired("which version?"), 428, "precondition_required"),
        (errors.RateLimited("too often"), 429, "rate_limited"),
        (Http404(), 404, "not_found"),
        (PermissionDenied(), 403, "role_missing"),
        (RequestDataTooBig("big"), 413, "too_large"),
        (rest.ParseError("bad"), 400, "malformed_body"),
        (rest.NotAcceptable(), 406, "not_acceptable"),
        (rest.UnsupportedMediaType("text/csv"), 415, "unsupported_media_type"),
        (rest.NotAuthenticated(), 401, "authentication_required"),
        (OperationalError("could not connect"), 503, "unavailable"),
        (ZeroDivisionError("secret of ours"), 500, "internal_error"),
    ],
)
def test_each_error_has_its_status_and_code(error, status, code):
    response = answer(error)

    assert (response.status_code, response.data["status"], response.data["code"]) == (status, status, code)
    assert response.data["instance"] == "/api/v1/things"
    assert response.data["request_id"] == "req_1"
    assert response.rendered_content
    assert response["Content-Type"] == "application/problem+json"


def test_the_facts_and_the_hint_travel():
    response = answer(errors.IllegalState("a job that is done cannot start", hint="retry it", state="done"))

    assert response.data["detail"] == "a job that is done cannot start"
    assert response.data["facts"] == {"state": "done"}
    assert response.data["hint"] == "retry it"


def test_each_wrong_field_is_listed_with_its_place():
    response = answer(ValidationFailed([FieldProblem("/run", "missing", "nothing to run", "add run:", 3, 1)]))

    assert response.data["errors"] == [
        {"pointer": "/run", "code": "missing", "detail": "nothing to run", "hint": "add run:", "line": 3, "column": 1}
    ]


def test_a_serializer_that_refuses_answers_in_the_same_shape():
    response = answer(serializers.ValidationError({"lines": [{"units": ["too few"]}]}))

    assert response.status_code == 422
    assert response.data["errors"] == [{"pointer": "/lines/0/units", "code": "invalid", "detail": "too few"}]


@pytest.mark.parametrize("error", [ZeroDivisionError("s3cret"), KeyError("s3cret"), OperationalError("s3cret")])
def test_nothing_internal_is_told(error):
    assert b"s3cret" not in answer(error).rendered_content


def test_a_lock_that_took_too_long_may_be_tried_again():
    refused = OperationalError("canceling statement due to lock timeout")
    refused.__cause__ = psycopg.errors.LockNotAvailable()

    response = answer(refused)

    assert (response.status_code, response["Retry-After"]) == (503, "1")


def test_an_error_with_a_code_nobody_listed_is_our_fault():
    class Unlisted(DomainError):
        code = "unlisted_code"

    response = answer(Unlisted("what"))

    assert (response.status_code, response.data["code"]) == (500, "internal_error")


def test_titles_follow_the_language_and_codes_do_not():
    with translation.override("zh-hans"):
        response = answer(errors.NotFound("no thing"))

    assert response.data["code"] == "not_found"
    assert response.data["title"]


def test_a_plain_view_answers_in_the_same_shape():
    request = RequestFactory().get("/api/v1/nowhere")

    of_error = json.loads(problem_json(errors.NotFound("no thing"), request).content)
    of_code = problem_of_code("not_found", request)

    assert of_error["detail"] == "no thing"
    assert (of_code.status_code, json.loads(of_code.content)["code"]) == (404, "not_found")


def test_every_listed_status_is_a_real_one():
    assert {HTTPStatus(code.status).value for code in CODES.values()} <= set(range(400, 600))


def test_every_code_that_an_error_class_of_the_product_names_has_a_status():
    named = {
        statement.value.value
        for path in product_files("accounts", "marketplace", "scheduler", "frontend")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "code"
        if isinstance(statement.value, ast.Constant)
    }

    assert {"capacity_taken", "not_found", "idempotency_mismatch"} <= named
    assert named - set(CODES) == set()
