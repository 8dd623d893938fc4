"""English and Simplified Chinese are complete together, and what is compiled is what is written."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "frontend" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
PACKAGES = ("accounts", "config", "frontend", "marketplace", "scheduler")
CONTEXT_GLUE = "\x04"
CALLS = {"_": 0, "gettext": 0, "gettext_lazy": 0, "gettext_noop": 0, "ngettext": 0, "ngettext_lazy": 0}
CONTEXT_CALLS = {"pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"}


def literal(node):
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def messages_of_code(source):
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        words = [literal(argument) for argument in node.args]
        if node.func.id in CALLS and words and words[0]:
            yield words[0]
        if node.func.id in CONTEXT_CALLS and len(words) > 1 and words[0] and words[1]:
            yield words[0] + CONTEXT_GLUE + words[1]


def messages_of_template(source):
    text = templatize(source)
    for call in re.finditer(r"\b(_|gettext|ngettext|pgettext|npgettext)\((u?['\"].*?['\"])\)? ?(?=[\sX,)]|$)", text):
        argument = re.match(r"u?('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", call[2])
        yield ast.literal_eval(argument[1])


def messages():
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if "migrations" not in path.parts:
                found.update(messages_of_code(path.read_text(encoding="utf-8")))
    for path in (ROOT / "frontend" / "templates").rglob("*.html"):
        found.update(messages_of_template(path.read_text(encoding="utf-8")))
    return found


def written():
    """The catalogue's source as {key: text}, in the keys of a compiled one."""
    entries = {}
    for block in CATALOGUE.read_text(encoding="utf-8").split("\n\n"):
        fields, name = {}, ""
        for line in block.splitlines():
            if match := re.match(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[0\])?) (".*")$', line):
                name = match[1].removesuffix("[0]")
                fields[name] = ast.literal_eval(match[2])
            elif line.startswith('"'):
                fields[name] += ast.literal_eval(line)
        if fields.get("msgid"):
            context = fields["msgctxt"] + CONTEXT_GLUE if "msgctxt" in fields else ""
            entries[context + fields["msgid"]] = fields["msgstr"]
    return entries


@pytest.fixture(scope="module")
def compiled():
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog
    return {(key[0] if isinstance(key, tuple) else key): text for key, text in catalogue.items() if key}


def test_the_search_for_messages_sees_code_and_templates():
    found = messages()

    assert "Sign out?" in found
    assert "%d min" in found
    assert f"weekday{CONTEXT_GLUE}Tue" in found
    assert "about %(mass)s CO₂e for this job" in found
    assert len(found) > 200


def test_every_message_has_a_chinese_text(compiled):
    assert sorted(message for message in messages() if not compiled.get(message)) == []


def test_no_text_is_left_to_be_checked():
    assert "#, fuzzy" not in CATALOGUE.read_text(encoding="utf-8")


def test_the_compiled_catalogue_is_the_written_one(compiled):
    assert compiled == {key: text for key, text in written().items() if text}


def test_placeholders_are_the_same_in_both_languages():
    def names(text):
        return sorted(re.findall(r"%\((\w+)\)[sd]|%[sd]", text))

    assert {key: text for key, text in written().items() if names(key) != names(text)} == {}
