"""The one rule of every call to an outside service: it is made outside any database transaction.

In one, a slow service would hold locks, and a rollback would forget what the service has done.
"""

from django.db import connections


class CallInsideTransaction(RuntimeError):
    """An outside service was called inside a database transaction: a fault of the program."""


def assert_outside_transaction() -> None:
    """Raises CallInsideTransaction when this thread has a transaction open on any database.

    The transaction that Django's TestCase puts around a whole test is none: `transaction.atomic(durable=True)` sees it
    likewise.
    """
    for connection in connections.all(initialized_only=True):
        open_ones = [each for each in connection.atomic_blocks if not getattr(each, "_from_testcase", False)]
        by_hand = connection.connection is not None and not connection.autocommit and not connection.atomic_blocks
        if open_ones or by_hand:
            raise CallInsideTransaction("an outside service is called outside any database transaction")
