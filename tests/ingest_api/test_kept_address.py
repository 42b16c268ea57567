"""What is kept of an address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_api.kept_address import kept_address, path_of


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://a.test/x", "https://a.test/x"),
        ("https://a.test/x?", "https://a.test/x"),
        ("https://a.test/x?token=1", "https://a.test/x"),
        (
            "https://a.test/x?q=a&utm_source=b&UTM_Term=c&ref=d&gclid=e&s=f",
            "https://a.test/x?utm_source=b&UTM_Term=c&ref=d&gclid=e",
        ),
        ("https://a.test/x?refresh=1&referrer=2&utm=3", "https://a.test/x"),
        ("https://a.test/x#access_token=1", "https://a.test/x"),
        ("https://a.test/x?a=b?c#d", "https://a.test/x"),
        ("https://me:secret@a.test/x", "https://a.test/x"),
        ("https://me:se@cret@a.test/@home", "https://a.test/@home"),
        ("https://a.test/@home", "https://a.test/@home"),
        ("/x?token=1", "/x"),
        ("", ""),
    ],
)
def test_only_campaigns_and_click_ids_survive(url: str, kept: str) -> None:
    assert kept_address(url) == kept


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://a.test/x/y?ref=1", "/x/y"),
        ("https://a.test", "/"),
        ("https://a.test?ref=1", "/"),
        ("/x", "/x"),
        ("", "/"),
    ],
)
def test_the_path_is_what_follows_the_host(address: str, path: str) -> None:
    assert path_of(address) == path


@given(st.text())
def test_keeping_twice_is_keeping_once(url: str) -> None:
    kept = kept_address(url)
    assert kept_address(kept) == kept
    assert path_of(kept)


@given(st.text(), st.text())
def test_no_other_parameter_survives(name: str, value: str) -> None:
    assert "secret" not in kept_address(f"https://a.test/?{name}&session=secret&{value}")
