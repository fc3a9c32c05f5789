"""Paced: no more messages a minute than allowed, however they come."""

from typing import Any

from orchestration_project.operations.channel import Message, Receipt
from orchestration_project.operations.channels.paced import Paced


class Recorded:
    """A channel and a clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 100.0
        self.sent: list[float] = []

    def send(self, message: Message) -> Receipt:
        self.sent.append(self.time)
        return Receipt(message.idempotency_key)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_messages_go_at_even_distances_and_idle_time_is_not_saved_up(message: Any) -> None:
    recorded = Recorded()
    paced = Paced(recorded, 30, lambda: recorded.time, recorded.sleep)
    for _ in range(3):
        assert paced.send(message()).external_id == "k1"
    recorded.time = 200.0
    for _ in range(3):
        paced.send(message())
    assert recorded.sent == [100, 102, 104, 200, 202, 204]
