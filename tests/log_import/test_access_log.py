"""What a line of an access log says, and which action it is."""

import gzip
import re
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logektor.access_log import LogLine, Unreadable, action_of, parse_line

REAL_LOG = Path(__file__).parents[2].parent / "shared/data/access_logs/apache_logs.gz"

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def line(
    request: bytes = b"GET / HTTP/1.1",
    status: int = 200,
    size: bytes = b"12",
    tail: bytes = b' "-" "-"',
    when: bytes = b"17/May/2015:10:05:03 +0000",
) -> bytes:
    return b'1.2.3.4 - - [%b] "%b" %d %b%b' % (when, request, status, size, tail)


def parsed(raw: bytes) -> LogLine:
    result = parse_line(raw)
    assert isinstance(result, LogLine), raw
    return result


def test_a_combined_line_gives_all_its_fields() -> None:
    raw = (
        b'83.149.9.216 - frank [17/May/2015:10:05:03 +0200] "GET /blog/a%20b.html?x=1&y=2 HTTP/1.1" 200 203023 '
        b'"http://example.org/from?q=1" "Mozilla/5.0 (X11) \\"quoted\\""'
    )
    assert parsed(raw) == LogLine(
        client="83.149.9.216",
        occurred_at=datetime(2015, 5, 17, 10, 5, 3, tzinfo=timezone(timedelta(hours=2))),
        method="GET",
        path="/blog/a%20b.html",
        query="x=1&y=2",
        status=200,
        bytes_sent=203023,
        referrer="http://example.org/from?q=1",
        user_agent='Mozilla/5.0 (X11) "quoted"',
    )


def test_a_common_line_has_neither_referrer_nor_user_agent() -> None:
    result = parsed(line(tail=b""))
    assert (result.referrer, result.user_agent) == (None, None)


def test_fields_after_the_combined_format_are_passed_over() -> None:
    assert parsed(line(tail=b' "-" "curl/8" "203.0.113.9" 0.004')).user_agent == "curl/8"


def test_a_dash_is_absent() -> None:
    result = parsed(line(size=b"-"))
    assert (result.bytes_sent, result.referrer, result.user_agent) == (None, None, None)


@pytest.mark.parametrize(
    "request_line", [b"-", b"", rb"\x16\x03\x01\x02\x00\x01", b"\x16\x03\x01\xff", b"quit", b"OPTIONS * HTTP/1.0"]
)
def test_a_request_for_no_path_is_a_line_without_a_path(request_line: bytes) -> None:
    result = parsed(line(request_line, status=400, size=b"0"))
    assert (result.path, result.query, action_of(result)) == (None, None, "error")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", None),
        (b"/?", "/", ""),
        (b"//favicon.ico", "//favicon.ico", None),
        (b"/a?b?c", "/a", "b?c"),
        (b"/a#b", "/a%23b", None),
        (b"/a b", "/a%20b", None),
        ("/ä".encode(), "/%C3%A4", None),
        (rb"/\xe4\"", '/%E4"', None),
        (b"http://example.org/x?y", "/x", "y"),
        (b"example.org:443", None, None),
    ],
)
def test_the_target_is_split_into_path_and_query(target: bytes, path: str | None, query: str | None) -> None:
    result = parsed(line(b"GET " + target + b" HTTP/1.1"))
    assert (result.path, result.query) == (path, query)


def test_a_request_of_http_0_9_has_no_version() -> None:
    assert parsed(line(b"GET /old")).path == "/old"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (rb"\xd0\xb0", "а"),
        ("а".encode(), "а"),
        (rb"caf\xe9", "café"),
        (b"caf\xe9", "café"),
        (rb"a\tb\\c\q", "a\tb\\c\\q"),
    ],
)
def test_a_user_agent_is_utf_8_or_else_latin_1(raw: bytes, text: str) -> None:
    assert parsed(line(tail=b' "-" "' + raw + b'"')).user_agent == text


def test_a_referrer_that_is_no_ascii_is_percent_encoded() -> None:
    assert parsed(line(tail=rb' "http://\xe4\xe5.\xf0\xf4/" "-"')).referrer == "http://%E4%E5.%F0%F4/"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        line(tail=b' "-" "cut off'),
        line(tail=b' "-"'),
        line(when=b"17.05.2015 10:05:03"),
        line(size=b"many"),
        b'example.com:80 1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 12 "-" "-"',
    ],
)
def test_another_format_is_unreadable(raw: bytes) -> None:
    assert parse_line(raw) == Unreadable("not in the common or combined log format")


@pytest.mark.parametrize(
    "when",
    [
        b"31/Feb/2015:10:05:03 +0000",
        b"17/Mai/2015:10:05:03 +0000",
        b"17/May/2015:25:05:03 +0000",
        b"17/May/2015:10:05:03 +9900",
        b"17/May/0000:10:05:03 +0000",
    ],
)
def test_a_time_that_does_not_exist_is_unreadable(when: bytes) -> None:
    assert parse_line(line(when=when)) == Unreadable("its time does not exist")


@pytest.mark.parametrize(
    ("request_line", "status", "action"),
    [
        (b"GET / HTTP/1.1", 200, "pageview"),
        (b"GET / HTTP/1.1", 304, "pageview"),
        (b"GET /a.v2/b HTTP/1.1", 200, "pageview"),
        (b"GET /a.html?file=b.pdf HTTP/1.1", 200, "pageview"),
        (b"GET /a.HTM HTTP/1.1", 200, "pageview"),
        (b"GET /a.php HTTP/1.1", 200, "pageview"),
        (b"GET /a.xhtml HTTP/1.1", 200, "pageview"),
        (b"GET /a.pdf HTTP/1.1", 200, "download"),
        (b"GET /a.tar.GZ HTTP/1.1", 206, "download"),
        (b"GET /a.mp3 HTTP/1.1", 304, "download"),
        (b"GET /a.exe HTTP/1.1", 404, "error"),
        (b"GET /a.png HTTP/1.1", 200, "request"),
        (b"GET /a.css HTTP/1.1", 304, "request"),
        (b"GET /robots.txt HTTP/1.1", 200, "request"),
        (b"GET /a HTTP/1.1", 301, "request"),
        (b"HEAD / HTTP/1.1", 200, "request"),
        (b"POST / HTTP/1.1", 200, "request"),
        (b"GET / HTTP/1.1", 500, "error"),
        (b"GET / HTTP/1.1", 499, "error"),
        (b"-", 408, "error"),
    ],
)
def test_the_rule_says_what_was_done(request_line: bytes, status: int, action: str) -> None:
    assert action_of(parsed(line(request_line, status))) == action


def escaped(field: bytes) -> bytes:
    """As Apache writes a quoted field."""
    named = {ord('"'): b'\\"', ord("\\"): b"\\\\", ord("\n"): b"\\n", ord("\t"): b"\\t"}
    return (
        b"".join(named.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\x%02x" % byte) for byte in field)
        or b"-"
    )


agents = st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda text: text != "-")
paths = st.from_regex(r"/[a-z0-9/._~%-]*", fullmatch=True)
queries = st.none() | st.from_regex(r"[a-z0-9=&?/.-]*", fullmatch=True)
times = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28)).map(lambda time: time.replace(microsecond=0))  # noqa: DTZ001
offsets = st.integers(-14 * 60, 14 * 60)
sizes = st.none() | st.integers(0, 10**12)


@given(
    times,
    offsets,
    st.sampled_from(["GET", "POST", "HEAD"]),
    paths,
    queries,
    st.integers(100, 599),
    sizes,
    agents,
    agents,
)
def test_what_apache_wrote_is_read_back(
    when: datetime,
    offset: int,
    method: str,
    path: str,
    query: str | None,
    status: int,
    size: int | None,
    referrer: str,
    user_agent: str,
) -> None:
    east = timezone(timedelta(minutes=offset))
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset)
    day = f"{when.day:02}/{MONTHS[when.month - 1]}/{when.year:04}"
    stamp = f"{day}:{when:%H:%M:%S} {sign}{minutes // 60:02}{minutes % 60:02}"
    target = path if query is None else f"{path}?{query}"
    raw = b'10.0.0.1 - - [%b] "%b" %d %b "http://a/%b" "%b"' % (
        stamp.encode(),
        escaped(f"{method} {target} HTTP/1.1".encode()),
        status,
        b"-" if size is None else b"%d" % size,
        escaped(referrer.encode()),
        escaped(user_agent.encode()),
    )
    result = parsed(raw)
    assert (result.occurred_at, result.occurred_at.utcoffset()) == (
        when.replace(tzinfo=east),
        timedelta(minutes=offset),
    )
    assert (result.method, result.path, result.query) == (method, path, query)
    assert (result.status, result.bytes_sent, result.user_agent) == (status, size, user_agent)
    assert result.referrer is not None
    assert result.referrer.isascii()


@given(st.binary())
def test_any_bytes_are_a_line_or_unreadable(raw: bytes) -> None:
    assert isinstance(parse_line(raw), LogLine | Unreadable)


def test_a_megabyte_of_bad_luck_is_unreadable_at_once() -> None:
    for raw in (b"a b " + b" [" * 120_000, line(tail=b' "' + b"\\" * 240_000), line(tail=b' "' + b'" "' * 80_000)):
        assert isinstance(parse_line(raw), LogLine | Unreadable)


@pytest.mark.skipif(not REAL_LOG.exists(), reason="the real access log (../shared/data) is not here")
def test_the_real_log_gives_the_actions_that_an_independent_count_gives() -> None:
    lines = gzip.decompress(REAL_LOG.read_bytes()).splitlines()
    expected = Counter(map(independent_action, lines))
    actions = Counter(
        "unreadable" if isinstance(read := parse_line(raw), Unreadable) else action_of(read) for raw in lines
    )
    assert actions == expected
    assert sum(actions.values()) == 10_000
    assert actions["unreadable"] == 1


def independent_action(raw: bytes) -> str:
    """The rule once more, without anything of the project's own."""
    text = raw.decode("latin-1")
    if text.count('"') != 6:
        return "unreadable"
    method, target = text.split('"')[1].split(" ")[:2]
    status = int(text.split('"')[2].split()[0])
    name = re.sub(r"[?].*", "", target).split("/")[-1]
    extension = name.split(".")[-1].lower() if "." in name else None
    if method == "GET" and (status // 100 == 2 or status == 304):
        if extension in (None, "html", "htm", "php", "xhtml"):
            return "pageview"
        if extension in {"pdf", "doc", "gz", "jar", "deb", "exe", "gem"}:
            return "download"
    return "error" if status >= 400 else "request"


def test_times_keep_their_instant() -> None:
    assert parsed(line(when=b"01/Jan/2024:00:30:00 +0100")).occurred_at == datetime(2023, 12, 31, 23, 30, tzinfo=UTC)
