"""What the collector refused, as it travels on the topic `logektor.rejected.v1`."""

import hashlib
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from event_stream.errors import InvalidEvent
from event_stream.event import MAX_EVENT_BYTES, Micros

MAX_KEPT_BYTES = 64 * 1024
"""How much of a refused body is kept; its length and SHA-256 are those of the whole."""


class Rejection(msgspec.Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """One refused event: its bytes, why it was refused and where it was meant to go."""

    reason: Annotated[str, Meta(description="the rule that was broken, such as `invalid` or `undecodable`")]
    detail: Annotated[str, Meta(description="a sentence with the field, the rule and the value")]
    field: Annotated[str, Meta(description="the JSON field at fault")] | None = None
    site: Annotated[str, Meta(description="the site it was meant for, where that was known")] | None = None
    received_at: Annotated[Micros, Meta(description="microseconds since 1970 UTC")]
    body: Annotated[bytes, Meta(description="the first 64 KB as they came; base64 in JSON")]
    body_length: Annotated[int, Meta(description="bytes of the whole body")]
    body_sha256: Annotated[str, Meta(description="SHA-256 of the whole body, hexadecimal")]

    @classmethod
    def of(
        cls,
        body: bytes,
        *,
        reason: str,
        detail: str,
        received_at: int,
        field: str | None = None,
        site: str | None = None,
    ) -> Self:
        """The rejection of a body, cut to what is kept."""
        return cls(
            reason=reason,
            detail=detail,
            field=field,
            site=site,
            received_at=received_at,
            body=body[:MAX_KEPT_BYTES],
            body_length=len(body),
            body_sha256=hashlib.sha256(body).hexdigest(),
        )


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Rejection)

MAX_REJECTION_BYTES = 4 * MAX_EVENT_BYTES
"""The largest record of the rejected topic: the kept bytes in base64 and what is said of them."""


def encode_rejection(rejection: Rejection) -> bytes:
    """The value of the rejection's record on `logektor.rejected.v1`."""
    return _encoder.encode(rejection)


def decode_rejection(value: bytes) -> Rejection:
    """The rejection of a record's value. Raises InvalidEvent with the reason `undecodable`."""
    try:
        return _decoder.decode(value)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("undecodable", str(error)) from error
