"""Paced: a channel that lets no more messages through a minute than it may."""

from collections.abc import Callable

from orchestration_project.operations.channel import Channel, Message, Receipt


class Paced:
    """Waits before a message until its turn has come; knows only of what this process sends."""

    def __init__(
        self, channel: Channel, per_minute: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._channel, self._interval = channel, 60 / per_minute
        self._clock, self._sleep = clock, sleep
        self._next = clock()

    def send(self, message: Message) -> Receipt:
        """Hands the message on when its turn has come."""
        wait = self._next - self._clock()
        if wait > 0:
            self._sleep(wait)
        self._next = max(self._next, self._clock()) + self._interval
        return self._channel.send(message)
