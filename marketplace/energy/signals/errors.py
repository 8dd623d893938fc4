"""What can go wrong when a source of grid signals is asked. The texts never hold a key or an address with one."""

from datetime import timedelta


class ProviderError(Exception):
    """A source did not give what was asked; `wait` is how long it asked us to stay away, if it did."""

    wait: timedelta | None = None


class ProviderDown(ProviderError):
    """No answer in time, a broken link, or a server error."""


class ProviderBusy(ProviderError):
    """It has been asked too often."""

    def __init__(self, message: str, *, wait: timedelta | None) -> None:
        super().__init__(message)
        self.wait = wait


class ProviderRefused(ProviderError):
    """The key, the zone or the question is not accepted: an operator has to mend it."""


class ProviderConfused(ProviderError):
    """The answer is not of the documented shape; nothing of it is used."""
