"""What is at fault with an object store, in words: its own answers are pages of XML in several colours."""

import re

_AT_FAULT = (
    (r"\bNoSuchBucket\b", "the bucket does not exist; make it, or correct LOGEKTOR_LAKE_URI"),
    (
        r"169\.254\.169\.254|169\.254\.170\.2",
        "no credentials are given; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken",
        "the store does not know the credentials; correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where there is "
        "one, AWS_SESSION_TOKEN",
    ),
    (r"AccessDenied|403 Forbidden", "the credentials do not allow it; they must list, read, write and delete objects"),
    (
        r"AuthorizationHeaderMalformed|PermanentRedirect|redirect without LOCATION",
        "the bucket is in another region; correct AWS_REGION",
    ),
    (
        r"error sending request",
        "the store does not answer; see that it runs, and that AWS_ENDPOINT_URL is its address",
    ),
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_DETAILS = re.compile(r"(?:Kernel error|Generic \w+ error|object-store error|The operation lacked|Error performing)")


def plain(sentence: str) -> str:
    """A sentence that ends with what a library said, in one line; where a store is at fault, what to do is said."""
    sentence = _COLOUR.sub("", sentence)
    for sign, words in _AT_FAULT:
        if re.search(sign, sentence):
            return f"{_DETAILS.split(sentence, maxsplit=1)[0]}{words}."
    return re.sub(r"\s*↳\s*", ": ", sentence).replace("\n", " ").strip()
