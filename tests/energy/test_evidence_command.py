"""`manage.py import_evidence`: what the API takes, for operators."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from marketplace.energy.models import CertificateLot, ImportFile, PointHour
from tests.energy.files import NOW, Provider, gc, points

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider(monkeypatch) -> Provider:
    monkeypatch.setattr("marketplace.energy.management.commands.import_evidence.utc_now", lambda: NOW)
    return Provider()


def run(provider: Provider, folder: Path, data: bytes, kind: str, *options: str) -> tuple[str, str]:
    file, out, err = folder / "file.csv", io.StringIO(), io.StringIO()
    file.write_bytes(data)
    arguments = [str(file), "--kind", kind, "--organization", provider.organization.public_id, *options]
    try:
        call_command("import_evidence", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return str(error), err.getvalue()
    return "", out.getvalue()


def test_a_file_is_imported(provider, tmp_path):
    assert run(provider, tmp_path, points(), "meter")[1].startswith("1 rows imported")
    assert "1 rows imported" in run(provider, tmp_path, gc(), "gc", "--point", "hall 1")[1]
    assert (PointHour.objects.count(), CertificateLot.objects.count()) == (1, 1)


def test_a_dry_run_writes_nothing(provider, tmp_path):
    assert "1 rows would be imported" in run(provider, tmp_path, points(), "meter", "--dry-run")[1]
    assert not ImportFile.objects.exists()


def test_every_fault_is_printed_and_nothing_imported(provider, tmp_path):
    error, printed = run(provider, tmp_path, points({"it_wh": "x"}, {"minutes": "30"}), "meter")

    assert error == "2 faults: nothing was imported"
    assert "line 2, it_wh: bad_number: 'x' is no whole number" in printed
    assert "line 3, minutes: not_on_grid" in printed


def test_hours_that_were_left_out_are_told(provider, tmp_path):
    assert "1 hours left out" in run(provider, tmp_path, points({"minutes": 15}), "meter")[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kind", "gc", "--organization", "org_nobody"], "there is no organization"),
        (["--kind", "gc", "--organization", "ORG", "--point", "hall 9"], "has no metering point hall 9"),
        (["--kind", "gc", "--organization", "ORG"], "serve one metering point"),
        (["--kind", "meter", "--organization", "ORG", "--nowhere"], r"cannot be read: No such file"),
    ],
)
def test_what_cannot_be_begun_is_told(provider, tmp_path, options, said):
    file = tmp_path / "file.csv"
    if "--nowhere" not in options:
        file.write_bytes(gc())
    words = [provider.organization.public_id if word == "ORG" else word for word in options if word != "--nowhere"]

    with pytest.raises(CommandError, match=said):
        call_command("import_evidence", str(file), *words)

    assert not ImportFile.objects.exists()
