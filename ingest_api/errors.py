"""What the collector refuses.

Refusal                 a request or an event that is not accepted; carries the status and the words of the answer
├── RequestRefused      the request as a whole: no event of it was looked at, and nothing is kept
├── EventRejected       one event breaks a rule: it is kept on the rejected topic and never accepted as it is
├── TooFast             the site sends more than its rate limit: send it again later
└── NotDurable          nothing is wrong with the request: send it again, with the same ids
"""


class Refusal(Exception):
    """What an answer in the one error shape says. `code` is for programs, `message` for people."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field


class RequestRefused(Refusal):
    """The request is not accepted, whatever its events are. `site` is a known site's domain, or None."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, *, site: str | None = None
    ) -> None:
        super().__init__(status, code, message, field)
        self.site = site


_LONGEST_MESSAGE = 500
_LONGEST_FIELD = 200


class EventRejected(Refusal):
    """An event that can never be accepted as it is.

    What is said of it is cut: a name in it may be as long as the body, and the rejection must fit into a record.
    """

    def __init__(
        self, code: str, message: str, field: str | None = None, *, status: int = 400, body: bytes | None = None
    ) -> None:
        """`body` is what to keep where that is not the event's JSON itself."""
        super().__init__(status, code, message[:_LONGEST_MESSAGE], field and field[:_LONGEST_FIELD])
        self.body = body


class NotDurable(Refusal):
    """Not every event was made durable."""

    def __init__(self, message: str) -> None:
        super().__init__(503, "not_durable", message)


class TooFast(RequestRefused):
    """The site's events come faster than it allows. `retry_after` is in whole seconds."""

    def __init__(self, site: str, retry_after: int) -> None:
        super().__init__(
            429, "too_fast", f"The site sends more events than its rate_limit: wait {retry_after} s.", site=site
        )
        self.retry_after = retry_after
