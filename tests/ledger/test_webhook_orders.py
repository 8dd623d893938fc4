"""Messages in any order, doubled, late or lost, leave the same books (`benchmarks.webhook_orders` tries thousands)."""

from random import Random

import pytest

from tests.ledger.flows import FLOWS, Begun

pytestmark = pytest.mark.django_db
ORDERS = 25


@pytest.mark.parametrize("flow", FLOWS)
def test_the_books_do_not_depend_on_the_order_of_messages(flow):
    begun = Begun(flow)
    expected = begun.books(None)

    for seed in range(ORDERS):
        assert begun.books(Random(seed)) == expected, f"seed {seed}"
