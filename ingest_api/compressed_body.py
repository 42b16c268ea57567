"""Bodies that come compressed, never unpacked past the bound: a bomb costs no more memory than an allowed body."""

import zlib
from typing import Protocol

from backports import zstd

from ingest_api.errors import RequestRefused

_GZIP = 16 + zlib.MAX_WBITS
_LARGEST_WINDOW_LOG = 23
"""8 MiB, which RFC 8878 recommends that every decoder supports; a frame may ask for 2 GiB."""

_MOST_PIECES = 1_000
"""Members of gzip, or frames of zstd: an empty one takes some bytes of the body, but as much work as a full one."""

_STEP = 65_536
"""Bytes handed to an unpacker at once. It copies what is left of them after its piece, so never all that is left."""


class _Unpacker(Protocol):
    """One member of a gzip file, or one frame of zstd: what zlib and zstd have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def unpacked(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The body without its Content-Encoding.

    Raises RequestRefused: 415 for an encoding that is not taken, 413 where the unpacked body is too large, 400 where
    it is not what its encoding says, or not whole.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "zstd"):
        raise RequestRefused(
            415, "unsupported_encoding", "Send the body as it is, or with Content-Encoding gzip or zstd, and only one."
        )
    whole = bytearray()
    place = pieces = 0
    # Both formats allow several pieces one after the other.
    while place < len(body):
        pieces += 1
        if pieces > _MOST_PIECES:
            raise RequestRefused(413, "too_large", f"The body is packed in more than {_MOST_PIECES} pieces: use one.")
        unpacker = _zstd() if encoding == "zstd" else zlib.decompressobj(_GZIP)
        while not unpacker.eof:
            step = body[place : place + _STEP]
            if not step:
                raise _damaged(encoding, "its end is missing")
            place += len(step)
            try:
                whole += unpacker.decompress(step, max_bytes + 1 - len(whole))
            except (zlib.error, zstd.ZstdError) as error:
                raise _damaged(encoding, str(error)) from None
            if len(whole) > max_bytes:
                raise RequestRefused(413, "too_large", f"The unpacked body is too large: at most {max_bytes} bytes.")
        place -= len(unpacker.unused_data)
    return bytes(whole)


def _zstd() -> _Unpacker:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _LARGEST_WINDOW_LOG})


def _damaged(encoding: str, why: str) -> RequestRefused:
    return RequestRefused(400, "undecodable_body", f"The body is not whole {encoding}: {why}. Send it again.")
