"""Countries: from any of the usual files, and from a new one as soon as it is there."""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from ingest_api.countries import Countries, CountryFileError

NETWORK = "203.0.113.0/24"
NETWORK_V6 = "2001:db8::/32"

GEOLITE2 = {"continent": {"code": "EU"}, "country": {"iso_code": "DE", "names": {"en": "Germany"}}}
IPINFO_LITE = {"asn": "AS64496", "country": "Germany", "country_code": "DE", "continent": "Europe"}
IPINFO_COUNTRY = {"country": "DE", "country_name": "Germany"}


def write(path: Path, networks: Mapping[str, Any], version: int = 6) -> Path:
    """A MaxMind DB file, put in the place of another one."""
    writer = MMDBWriter(version, "Test-Country", languages=["en"], ipv4_compatible=version == 6)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    being_written = path.with_suffix(".new")
    writer.to_db_file(str(being_written))
    being_written.replace(path)
    return path


@pytest.mark.parametrize("record", [GEOLITE2, IPINFO_LITE, IPINFO_COUNTRY])
def test_the_usual_files_are_understood(tmp_path: Path, record: Any) -> None:
    countries = Countries(write(tmp_path / "countries.mmdb", {NETWORK: record, NETWORK_V6: record}))
    assert countries.of("203.0.113.9") == "DE"
    assert countries.of("2001:db8::7") == "DE"
    assert countries.of("192.0.2.1") is None


def test_without_a_file_nobody_has_a_country() -> None:
    countries = Countries(None)
    countries.refresh()
    assert countries.of("203.0.113.9") is None


@pytest.mark.parametrize("ip", ["", "nowhere", "203.0.113.9:80", "203.0.113.9\x00", "\udc80", "2001:db8::7"])
def test_what_the_file_can_not_know_has_no_country(tmp_path: Path, ip: str) -> None:
    countries = Countries(write(tmp_path / "countries.mmdb", {NETWORK: GEOLITE2}, version=4))
    assert countries.of(ip) is None
    assert countries.of("203.0.113.9") == "DE"


@pytest.mark.parametrize("country", [{"iso_code": "de"}, {"iso_code": "DEU"}, {"names": {"en": "Germany"}}, 49])
def test_only_two_capital_letters_are_a_country(tmp_path: Path, country: Any) -> None:
    file = write(tmp_path / "countries.mmdb", {"198.51.100.0/24": GEOLITE2, NETWORK: {"country": country}})
    assert Countries(file).of("203.0.113.9") is None


def test_a_new_file_is_used_without_a_restart(tmp_path: Path) -> None:
    file = write(tmp_path / "countries.mmdb", {NETWORK: GEOLITE2})
    countries = Countries(file)
    assert countries.of("203.0.113.9") == "DE"
    write(file, {NETWORK: {"country": {"iso_code": "FR"}}})
    countries.refresh()
    assert countries.of("203.0.113.9") == "FR"


@pytest.mark.parametrize("spoil", ["truncate", "garble", "delete"])
def test_a_bad_new_file_keeps_the_old_one_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    file = write(tmp_path / "countries.mmdb", {NETWORK: GEOLITE2})
    countries = Countries(file)
    if spoil == "truncate":
        os.truncate(file, 40)
    elif spoil == "garble":
        file.write_bytes(b"<html>404</html>")
    else:
        file.unlink()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            countries.refresh()
    (record,) = caplog.records
    assert str(file) in record.message
    assert countries.trouble == record.message
    assert countries.of("203.0.113.9") == "DE"
    write(file, {NETWORK: {"country": {"iso_code": "FR"}}})
    countries.refresh()
    assert countries.of("203.0.113.9") == "FR"
    assert countries.trouble is None


def test_a_file_that_is_overwritten_in_place_does_not_kill_the_process(tmp_path: Path) -> None:
    file = write(tmp_path / "countries.mmdb", {NETWORK: GEOLITE2})
    program = """
import os, sys
from pathlib import Path
from ingest_api.countries import Countries
countries = Countries(Path(sys.argv[1]))
os.truncate(sys.argv[1], 0)
print(countries.of("203.0.113.9"))
"""
    answered = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, check=True)
    assert answered.stdout.strip() == "DE"


def test_a_bad_file_at_the_start_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CountryFileError, match=r"missing\.mmdb: the country file can't be read: No such file"):
        Countries(tmp_path / "missing.mmdb")
    (tmp_path / "text.mmdb").write_text("DE")
    with pytest.raises(CountryFileError, match=r"text\.mmdb: not a whole MaxMind DB file"):
        Countries(tmp_path / "text.mmdb")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "asn.mmdb", {NETWORK: {"autonomous_system_number": 64496}})
    with pytest.raises(CountryFileError, match="name no country"):
        Countries(file)
