"""The reference of a day: made once, never changed, and read once a process unless it may be undone."""

import pytest
from django.db import transaction

from scheduler.models import SegmentReference
from scheduler.references import reference_of
from tests.market import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_is_read_once_a_process(django_assert_num_queries):
    made = reference_of("cpu", NOON)

    with django_assert_num_queries(0):
        assert reference_of("cpu", NOON) is made
    assert SegmentReference.objects.get() == made


def test_one_that_was_undone_is_not_remembered():
    with transaction.atomic():
        undone = reference_of("cpu", NOON)
        transaction.set_rollback(True)

    made = reference_of("cpu", NOON)

    assert made.pk != undone.pk
    assert SegmentReference.objects.get() == made
