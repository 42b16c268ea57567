"""What goes wrong with an object store is said in one sentence."""

import pickle

import pytest

from lake.errors import LakeAway

# As deltalake and Polars have said it, cut short.
NO_BUCKET = """Kernel error -> Generic S3 error
          \x1b[31m↳\x1b[0m Error performing list request
           \x1b[31m↳\x1b[0m Error performing GET http://127.0.0.1:1/b?list-type=2 in 3ms - Server returned 404
            \x1b[31m↳\x1b[0m 404 Not Found
             \x1b[31m↳\x1b[0m <?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>
"""
NO_CREDENTIALS = """Generic S3 error
          \x1b[31m↳\x1b[0m Error performing PUT http://169.254.169.254/latest/api/token in 1ms - Server returned
           \x1b[31m↳\x1b[0m 403 Forbidden
"""
DENIED = (
    "object-store error: The operation lacked the necessary privileges to complete for path lake/t/x.parquet: Error "
    "performing GET http://127.0.0.1:1/b/x in 1ms - Server returned non-2xx status: 403 Forbidden: <?xml?>\n<Error>"
    "<Code>AccessDenied</Code></Error> (path: s3://b/x)"
)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (NO_BUCKET, "the bucket does not exist; make it, or correct LOGEKTOR_LAKE_URI."),
        (NO_CREDENTIALS, "no credentials are given; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
        (DENIED, "the credentials do not allow it; they must list, read, write and delete objects."),
    ],
)
def test_what_a_store_answers_becomes_one_sentence(said: str, sentence: str) -> None:
    assert str(LakeAway(f"s3://b/lake/t could not be read: {said}")) == f"s3://b/lake/t could not be read: {sentence}"


def test_what_is_not_known_stays_in_one_line_without_colours() -> None:
    assert str(LakeAway("x could not be read: out of cheese\n  \x1b[31m↳\x1b[0m redo\n")) == (
        "x could not be read: out of cheese: redo"
    )


def test_a_sentence_survives_the_way_between_processes() -> None:
    error = LakeAway(f"s3://b/lake/t could not be read: {NO_BUCKET}")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - it is our own
