"""Statements that nobody waits for: their answers, their errors, and that the server plans a question once."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import ProgrammingError

from marketplace.common.sending import ask, sent_ahead

pytestmark = pytest.mark.django_db


def test_questions_sent_together_are_answered_each():
    with sent_ahead():
        first, second = ask("SELECT %s::int", [1]), ask("SELECT %(word)s::text", {"word": "two"})

    assert (first.fetchone(), second.fetchone()) == ((1,), ("two",))


def test_an_answer_can_be_read_before_the_end():
    with sent_ahead():
        assert ask("SELECT 7", []).fetchone() == (7,)
        assert ask("SELECT 8", []).fetchone() == (8,)


def test_an_error_comes_at_the_end_at_the_latest_and_what_followed_is_not_done():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE kept (number int PRIMARY KEY) ON COMMIT DROP")

    with pytest.raises(IntegrityError, match="kept_pkey"), transaction.atomic(), sent_ahead():
        for number in (1, 1, 2):
            ask("INSERT INTO kept VALUES (%s)", [number])

    assert ask("SELECT count(*) FROM kept", []).fetchone() == (0,)


def test_a_wrong_question_is_an_error_of_django():
    with pytest.raises(ProgrammingError, match="nothing_there"), transaction.atomic():
        ask("SELECT * FROM nothing_there", [])


def test_a_question_is_planned_once_a_connection():
    for number in range(3):
        assert ask("SELECT 40 + %s::int", [number]).fetchone() == (40 + number,)

    known = ask("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ["SELECT 40 + %"])
    assert known.fetchone() == (1,)
