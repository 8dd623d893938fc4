"""If-Match: a change says which version it was decided on."""

import pytest
from django.test import RequestFactory

from marketplace.common.errors import PreconditionRequired, StaleVersion
from marketplace.common.etag import etag_of, require_match


def asking(header=None):
    return RequestFactory().patch("/", **({"HTTP_IF_MATCH": header} if header is not None else {}))


@pytest.mark.parametrize("header", ['"7"', '"6", "7"', "*", ' "7" '])
def test_the_present_version_may_be_changed(header):
    assert require_match(asking(header), 7) is None  # and raises nothing


@pytest.mark.parametrize("header", ['"6"', 'W/"7"', "7", '"77"', '"6", W/"7"'])
def test_another_version_or_a_weak_tag_is_stale(header):
    with pytest.raises(StaleVersion):
        require_match(asking(header), 7)


@pytest.mark.parametrize("header", [None, "", "  "])
def test_without_the_header_the_answer_says_what_to_send(header):
    with pytest.raises(PreconditionRequired) as refusal:
        require_match(asking(header), 7)

    assert refusal.value.hint == f"If-Match: {etag_of(7)}"
