"""The OpenAPI description is complete, and its page asks nothing of another host."""

import re

import pytest
from django.core.management import call_command

pytestmark = pytest.mark.django_db


def test_the_schema_is_valid_and_without_warnings(tmp_path):
    target = tmp_path / "schema.yaml"

    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(target))

    text = target.read_text()
    assert "openapi: 3.1" in text
    assert "/api/v1/jobs/{job}/why" in text


def test_the_documentation_page_loads_only_local_files(client, settings):
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}

    page = client.get("/api/docs/").content.decode()

    assert "swagger-ui-bundle.js" in page
    assert re.findall(r'(?:src|href)="(https?://[^"]+)"', page) == []
