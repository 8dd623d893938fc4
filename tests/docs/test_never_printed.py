"""Claims that are never printed (the specification's list): in no page, text of the code, translation or document.

A share is a measurement. Words that make more of it than was measured, or that speak in the name of a standard, would
be read as a promise that nobody here can keep.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("accounts", "agent", "client", "config", "frontend", "marketplace", "scheduler")
KINDS = ("html", "txt", "js", "csv", "po")
CLAIMS = {
    "zero carbon": r"\b(zero|0)[- ]?(carbon|emissions?)\b",
    "carbon neutral": r"\b(carbon|climate|CO2|CO₂)[- ]?neutral(ity)?\b",
    "net zero": r"\bnet[- ]?zero\b",
    "free of emissions": r"\bemissions?[- ]free\b",
    "an offset of carbon": (
        r"\b(carbon|emissions?|CO2e?|CO₂e?|footprint)[- ]offset"
        r"|\boffset(s|ting)?\s+(\w+\s+)?(carbon|emissions?|CO2|CO₂|footprint)"
    ),
    "additional": (
        r"\badditionality\b|\badditional\s+(renewables?|green|clean|solar|wind|power|energy|electricity|generation)\b"
    ),
    "avoided emissions": r"(?<!\bno )\bavoid(ed|s)?\s+(carbon|emissions?|CO2|CO₂)",
    "speaking for EnergyTag": r"\bEnergyTag[- ](compliant|certified|approved|conform)",
    "speaking for ISO": r"\bISO(/IEC)?[- ]?[\d-]*[- ](certified|approved|compliant)",
    "speaking for the GHG Protocol": r"\bGHG[- ]Protocol[- ](approved|certified|compliant|conform)",
    "all renewable": r"\b(100\s?%|fully|entirely|all)[- ](renewable|green|clean)\b",
    "零碳": r"零\s?碳|零排放",
    "碳中和": r"碳中和|气候中和",
    "净零": r"净零",
    "碳抵消": r"碳抵[消销]|抵[消销](了|的)?(碳|排放)|碳补偿",
    "额外性": r"额外性|额外(的)?(可再生|绿色|绿电|清洁)",
    "避免的排放": r"避免(了|的)?(碳)?排放",
    "以标准之名": r"(EnergyTag|ISO|GHG|温室气体核算体系)\s?[\d/-]*\s?(认证|认可|批准|合规)",
    "全部可再生": r"(100\s?%|百分之百|百分百|完全|全部)\s?(的)?(可再生|绿色电力|绿电|清洁)",
}
KNOWN = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in CLAIMS.items()]


def claims_in(text: str) -> list[str]:
    """The claims that `text` makes."""
    plain = re.sub(r"\s+", " ", text.replace("%%", "%"))
    return [name for name, pattern in KNOWN if pattern.search(plain)]


def strings_of(source: str) -> Iterator[tuple[int, str]]:
    """Every text in a module that is no docstring, with its line."""
    tree = ast.parse(source)
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    silent = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value


def printed(root: Path) -> Iterator[tuple[str, str]]:
    """(where, text) of all that a person may come to read under `root`."""
    folders = [root / package for package in PACKAGES]
    for path in (path for folder in folders for path in sorted(folder.rglob("*.py"))):
        if "migrations" not in path.parts:
            for line, text in strings_of(path.read_text(encoding="utf-8")):
                yield f"{path.relative_to(root)}:{line}", text
    texts = [path for folder in folders for kind in KINDS for path in sorted(folder.rglob(f"*.{kind}"))]
    for path in [*texts, *root.glob("README.md"), *sorted((root / "docs").rglob("*.md"))]:
        yield from _lines(root, path, joined=path.suffix == ".po")


def _lines(root: Path, path: Path, *, joined: bool = False) -> Iterator[tuple[str, str]]:
    """Line by line; the long texts of a catalogue are written over several, so they are put together."""
    text = path.read_text(encoding="utf-8")
    if joined:
        text = re.sub(r'"\n"', "", text)
    for number, line in enumerate(text.splitlines(), start=1):
        yield f"{path.relative_to(root)}:{number}", line


def found(root: Path) -> list[str]:
    return [f"{where}: {name}" for where, text in printed(root) for name in claims_in(text)]


def test_no_claim_is_printed_that_is_never_to_be_printed():
    assert found(ROOT) == []


@pytest.mark.parametrize(
    "text",
    [
        "A zero-carbon job", "Zero carbon computing", "carbon-neutral hosting", "We are climate neutral",
        "Net zero by night", "carbon offset included", "This offsets your emissions",
        "additional renewable energy", "Additionality", "EnergyTag compliant", "EnergyTag-certified",
        "ISO certified", "ISO/IEC 21031 certified", "GHG Protocol approved", "100 % renewable",
        "100% renewable", "100%% renewable", "Runs fully renewable", "avoided emissions", "零碳算力",
        "零碳", "碳中和", "净零排放", "碳抵消", "抵消碳排放", "100% 可再生", "百分之百可再生", "额外性",
        "ISO 认证",
    ],
)  # fmt: skip
def test_each_claim_is_known_when_it_is_seen(text):
    assert claims_in(text) != []


@pytest.mark.parametrize(
    "text",
    [
        "offset of the log in bytes", "stroke-dashoffset: 4", "UTC offset", "two additional units",
        "100 % of the uses", "100% solar by the year is about 43% by the hour", "carbon-free share",
        "not carbon-free enough", "0 g", "net price", "ISO 3166", "EnergyTag-like columns",
        "the GHG Protocol's Scope 2 Guidance", "可再生份额", "每小时匹配的可再生电力", "碳强度",
    ],
)  # fmt: skip
def test_what_measures_is_no_claim(text):
    assert claims_in(text) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("frontend/templates/store/offer.html", "<p>Zero-carbon GPU hours</p>"),
        ("frontend/store/offers.py", 'def name():\n    """What is shown."""\n    return _("carbon neutral")\n'),
        ("client/joulemart/receipts.py", 'VERDICT = "100 % renewable"\n'),
        ("frontend/locale/zh_Hans/LC_MESSAGES/django.po", 'msgid "Green"\nmsgstr ""\n"这是碳"\n"中和的算力"\n'),
        ("docs/green-hours.md", "Our hours are EnergyTag compliant.\n"),
    ],
)
def test_a_claim_that_somebody_adds_is_found_wherever_it_stands(tmp_path, path, text):
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")

    assert len(found(tmp_path)) == 1


def test_a_docstring_is_read_by_programmers_alone(tmp_path):
    file = tmp_path / "frontend" / "offers.py"
    file.parent.mkdir()
    file.write_text('"""Never say zero-carbon."""\n', encoding="utf-8")

    assert found(tmp_path) == []
