"""Do Not Track and Global Privacy Control, by the site's policy."""

import pytest

from ingest_api.do_not_track import Policy, Tracking, asks_not_to_be_tracked, tracking


@pytest.mark.parametrize(
    ("dnt", "sec_gpc", "asks"),
    [("1", None, True), (None, "1", True), ("0", "1", True), (None, None, False), ("0", "0", False), ("", "x", False)],
)
def test_either_header_asks(dnt: str | None, sec_gpc: str | None, asks: bool) -> None:
    assert asks_not_to_be_tracked(dnt, sec_gpc) is asks


@pytest.mark.parametrize(
    ("policy", "result"),
    [("anonymous", Tracking.ANONYMOUS), ("drop", Tracking.NONE), ("ignore", Tracking.WHOLE)],
)
def test_the_sites_policy_decides_for_who_asks_and_for_nobody_else(policy: Policy, result: Tracking) -> None:
    assert tracking(True, policy) is result
    assert tracking(False, policy) is Tracking.WHOLE
