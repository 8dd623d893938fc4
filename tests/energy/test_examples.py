"""The examples of the documentation are files that can be imported, and its table names every code there is."""

import re
from pathlib import Path

import pytest

from marketplace.energy.imports.gridyears import import_grid_years
from tests.energy import test_import_of_certificates, test_import_of_meters
from tests.energy.files import Provider
from tests.market import MONDAY

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {"meter-points": ("meter", 2), "meter-plants": ("meter", 2), "gc": ("gc", 2), "gec": ("gec", 1)}


@pytest.mark.django_db
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_imported_as_it_is(name):
    kind, rows = EXAMPLES[name]

    result = Provider().send((ROOT / "docs" / "examples" / "evidence" / f"{name}.csv").read_bytes(), kind)

    assert (result.state, result.rows, result.errors) == ("imported", rows, [])


@pytest.mark.django_db
def test_the_example_of_yearly_figures_is_imported_as_it_is():
    data = (ROOT / "docs" / "examples" / "evidence" / "grid-yearly.csv").read_bytes()

    assert import_grid_years(data=data, now=MONDAY).state == "imported"


def test_every_code_that_a_file_can_have_is_explained():
    page = (ROOT / "docs" / "how-to" / "evidence.md").read_text(encoding="utf-8")
    faults = [
        *test_import_of_meters.FAULTS, *test_import_of_certificates.GC_FAULTS, *test_import_of_certificates.GEC_FAULTS
    ]  # fmt: skip

    assert {code for _, _, code in faults} <= set(re.findall(r"`(\w+)`", page))
