"""What can go wrong with the stream.

StreamError
├── InvalidEvent        the bytes are not an event: a dead letter, never a reason to stop
├── WriteRefused        one record was not made durable: the client must send it again
└── StreamBroken        reading can't go on without a person: the process stops with this sentence
    ├── OffsetLost      records that were not landed are gone from the broker, or the topic is another one
    ├── BrokerAway      the broker did not answer in time (transient: the supervisor starts the process again)
    └── ClientRefused   the broker or this client does not accept what the other proves who it is by
"""


class StreamError(Exception):
    """The root of the stream's errors."""


class InvalidEvent(StreamError):
    """Bytes of a record that are not an event of a known version; `field` is the one at fault, as JSON names it."""

    def __init__(self, reason: str, detail: str, field: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.field = field


class WriteRefused(StreamError):
    """The broker refused a record or did not acknowledge it in time."""


class StreamBroken(StreamError):
    """Reading can't go on without a person."""


class OffsetLost(StreamBroken):
    """The next record to land is not in the broker."""


class BrokerAway(StreamBroken):
    """The broker did not answer in time."""


class ClientRefused(StreamBroken):
    """The broker does not believe this client, or this client the broker: a password, a certificate or an authority."""
