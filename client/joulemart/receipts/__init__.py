"""Green receipts, verified without a network: signatures, chain, figures, energy and charge.

    from joulemart import receipts
    keys = receipts.read_keys(Path("keys.json").read_bytes())
    outcome = receipts.verify(Path("receipt.json").read_bytes(), keys=keys)

A verification says what it cannot know: whether a newer version exists, and what the registries' books say.
"""

from .checks import CHECKS, Check
from .files import ReceiptFile, Unreadable, read_file, read_keys
from .verifying import Outcome, verify

__all__ = ["CHECKS", "Check", "Outcome", "ReceiptFile", "Unreadable", "read_file", "read_keys", "verify"]
