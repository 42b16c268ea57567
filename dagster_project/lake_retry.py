"""Runs try again by themselves where the lake was away for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from lake.errors import LakeAway, TableConflict

RETRIES = 3
WAIT_SECONDS = 5.0


@contextmanager
def retried() -> Iterator[None]:
    """Asks Dagster to repeat the step. Whatever it had done by then is whole, and is found so."""
    try:
        yield
    except (LakeAway, TableConflict) as error:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=WAIT_SECONDS) from error
