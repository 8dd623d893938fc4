"""Hints over Redis that something is worth reading again. A lost hint costs latency, never work."""

import functools
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import redis
from django.conf import settings

log = logging.getLogger(__name__)


@functools.cache
def connection() -> redis.Redis:
    """One client per process; it reconnects by itself."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def publish(channel: str, message: str) -> None:
    """Tell whoever follows `channel`; without Redis the followers' own sweep finds the change."""
    try:
        connection().publish(f"jm:{channel}", message)
    except redis.RedisError as error:
        log.warning("hint to %s lost: %s", channel, error)


def publish_many(hints: Iterable[tuple[str, str]]) -> None:
    """Tell each (channel, message), in two round trips: who is followed at all, and to those the hints."""
    try:
        names = connection().pubsub_channels("jm:*")
        followed = {(name.decode() if isinstance(name, bytes) else name).removeprefix("jm:") for name in names}
        heard = [(channel, message) for channel, message in hints if channel in followed]
        if heard:
            with connection().pipeline(transaction=False) as pipeline:
                for channel, message in heard:
                    pipeline.publish(f"jm:{channel}", message)
                pipeline.execute()
    except redis.RedisError as error:
        log.warning("hints lost: %s", error)


class News:
    """A subscription that tells whether anything was published; without Redis it only waits."""

    def __init__(self, subscription: redis.client.PubSub | None) -> None:
        self.subscription = subscription

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for a hint; False when none came."""
        if self.subscription is None:
            time.sleep(seconds)
            return False
        try:
            return self.subscription.get_message(ignore_subscribe_messages=True, timeout=seconds) is not None
        except redis.RedisError as error:
            log.warning("hints stopped: %s", error)
            self.subscription = None
            return False


@contextmanager
def wait_for(channels: Sequence[str]) -> Iterator[News]:
    """Listen to `channels`; what was published before does not count, so read once after entering."""
    try:
        subscription = connection().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        subscription.subscribe(*(f"jm:{channel}" for channel in channels))
    except redis.RedisError as error:
        log.warning("no hints: %s", error)
        yield News(None)
        return
    try:
        yield News(subscription)
    finally:
        subscription.close()
