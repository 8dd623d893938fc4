"""Words that no page and no document of the market may print: claims that its records do not bear out."""

import re

import pytest

from tests.frontend.test_languages import ROOT, messages, written

FORBIDDEN = {
    "zero-carbon": r"zero[- ]carbon|零碳",
    "carbon-neutral": r"carbon[- ]neutral|碳中和",
    "net zero": r"net[- ]zero|净零",
    "an offset": r"carbon offset|offset(s|ting)? (of )?(carbon|emission)|碳抵消",
    "additional": r"additional (renewable|green|clean)|additionality|额外性",
    "compliant": r"EnergyTag[- ]compliant|ISO[- ]certified|GHG Protocol approved|符合 EnergyTag|ISO 认证",
    "100 % renewable": r"100 ?% (renewable|green)|100 ?%(可再生|绿电)",
    "savings as avoided": r"avoided emission|避免的排放",
}
RECEIPTS = ROOT / "marketplace" / "energy" / "receipts"
TEMPLATES = ROOT / "frontend" / "templates" / "receipts"


def printed():
    texts = [*messages(), *written().values()]
    texts += [path.read_text(encoding="utf-8") for folder in (RECEIPTS, TEMPLATES) for path in folder.rglob("*.*")
              if path.suffix in {".py", ".html"}]  # fmt: skip
    return texts


@pytest.mark.parametrize("claim", FORBIDDEN)
def test_no_message_makes_a_claim_that_no_record_bears_out(claim):
    assert [text[:120] for text in printed() if re.search(FORBIDDEN[claim], text, re.IGNORECASE)] == []


def test_a_record_of_a_meter_is_never_called_a_certificate():
    from marketplace.energy.receipts.words import scheme_name

    assert scheme_name("METER", "hour") == "On-site meter record"
