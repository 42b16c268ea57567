"""Whatever is sent: a documented answer, one error shape, and as many events out as in."""

import ast
import asyncio
import gc
import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import FrameType
from urllib.parse import quote, urlencode

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ingest_api
from event_stream.rejection import MAX_REJECTION_BYTES
from event_stream.topics import EVENTS, REJECTED
from ingest_api.errors import NotDurable
from ingest_api.requests import RequestReader
from ingest_api.tracked_event import TrackedEvent
from tests.ingest_api.conftest import Api
from tests.ingest_api.rsgi import FakeExchange, FakeHeaders, FakeScope

LAW = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

SINGLE = [
    "/track",
    "/api/event",
    *(f"/v1/{kind}" for kind in ("track", "page", "identify", "screen", "group", "alias")),
]

REJECTED_CODES = {"invalid", "undecodable", "unparsed_line", "server_key_needed", "too_large"}
"""What is said of an event; it is kept then. The other codes refuse a request whole."""

FORMS: list[Callable[[list[str]], str]] = [
    lambda each: "[" + ",".join(each) + "]",
    lambda each: '{"batch": [' + ", ".join(each) + "]}",
]

NASTY = [
    "1e999999",
    "-1e999999",
    "1e-999999",
    "-0",
    "9" * 20,
    "9" * 5_000,
    "-" + "9" * 400,
    "1." + "0" * 5_000 + "1",
    "NaN",
    "Infinity",
    "0x10",
    "01",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    '"\x00"',
    '"\\x"',
    '"' + "x" * 3_000 + '"',
    '"http://[::1"',
    '"\u202e\ufeff\uffff"',
    "[" * 300 + "]" * 300,
    '{"a":' * 990 + "1" + "}" * 990,
    "[" * 995 + "]" * 995,
    "[" * 100_000,
    '{"batch":[{}]}',
    "{}",
    "[]",
    "null",
    "true",
    '""',
    "'a'",
    "",
]
NAMES = [
    *TrackedEvent.__struct_encode_fields__,
    *("raw", "rawBase64", "batch", "x", "", "\x00"),
    *("type", "messageId", "event", "name", "category", "anonymousId", "timestamp", "context", "traits", "writeKey"),
    *("n", "u", "d", "r", "w", "p", "m", "$", "i", "e", "sd", "props", "domain", "revenue"),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)
written = json_values.map(json.dumps) | st.sampled_from(NASTY) | st.sampled_from(['"a"', "1", '{"a":1}', '"localhost"'])
events = st.lists(st.tuples(st.sampled_from(NAMES), written), max_size=6).map(
    lambda fields: "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in fields) + "}"
)
good_events = st.sampled_from(['{"action":"a"}', '{"event":"a","userId":"u"}', '{"n":"a","u":"http://localhost/"}'])


def is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Cut, or with some bytes written over."""
    body = draw(whole)
    place = draw(st.integers(0, len(body)))
    return body[:place] + draw(st.binary(max_size=4)) + body[draw(st.integers(0, len(body))) :]


one = (events | good_events | written).map(lambda text: text.encode("utf-8", "surrogatepass"))
bodies = one | damaged(one) | st.binary(max_size=200)
lines = st.lists(events | good_events | written, max_size=6)
batches = lines.flatmap(lambda each: st.sampled_from([*(form(each) for form in FORMS), "\n".join(each)])).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)

garbage = st.binary(max_size=40).map(lambda value: value.replace(b"\n", b"").replace(b"\r", b"").replace(b"\0", b""))
HEADERS: dict[str, list[bytes]] = {
    "content-type": [b"application/json", b"text/plain; charset=latin-1", b"application/x-ndjson", b"text/html", b";;"],
    "content-encoding": [b"gzip", b"zstd", b"br", b"gzip, gzip", b"identity", b""],
    "authorization": [b"Bearer pk_localhost", b"Bearer sk_localhost", b"Bearer ", b"Basic ====", b"Basic /w==", b"x"],
    "origin": [b"http://localhost", b"null", b"https://example.org", b"http://[", b"\xff"],
    "dnt": [b"1", b"2", b""],
    "sec-gpc": [b"1", b"\xff"],
    "user-agent": [b"Googlebot", b"\xff\xfe", b"x" * 8_192],
    "x-forwarded-for": [b"1.2.3.4, ::1", b",,,", b"\xf0", b"999.1.1.1"],
    "referer": [b"http://localhost/a?b", b"http://[", b"\xc3\x28"],
}
headers = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(usual) | garbage for name, usual in HEADERS.items()}
)
queries = st.sampled_from(["", "dry_run=1", "key=pk_localhost", "key=%ff", "key", "&&=&", "dry_run=1&dry_run=0"]) | (
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="#"), max_size=40)
)


@pytest.fixture
def documented(api: Api) -> Callable[[str, str], set[int]]:
    """The statuses that the OpenAPI document tells of, but for 500: it is never meant."""
    paths = api.request("GET", "/openapi.json").json()["paths"]
    return lambda method, path: {int(status) for status in paths[path][method.lower()]["responses"]} - {500}


@pytest.fixture
def keeping(api: Api) -> Api:
    """Keeps each rejection, however many there are."""
    api.kept_bytes_per_minute = 10**12
    api.build()
    return api


def send(api: Api, method: str, path: str, query: str, said: dict[str, bytes], body: bytes) -> httpx.Response:
    for log in api.stream.logs.values():
        log.clear()
    fields = {"content-type": b"application/json", **said}
    return api.request(method, f"{path}?{query}", content=body, headers=fields)  # type: ignore[arg-type]


def stored(api: Api) -> tuple[int, int]:
    """How many events and rejections are on the stream, each small enough for its topic."""
    values = {topic.name: api.records(topic.name) for topic in (EVENTS, REJECTED)}
    assert all(len(value) < MAX_REJECTION_BYTES for each in values.values() for value in each)
    return len(values[EVENTS.name]), len(values[REJECTED.name])


def check_error(answer: httpx.Response) -> str:
    """The code of an error in the one shape."""
    (error,) = answer.json().values()
    assert set(answer.json()) == {"error"}
    assert {"code", "message"} <= set(error) <= {"code", "message", "field"}
    assert error["message"].endswith((".", "…")) or len(error["message"]) == 500
    return str(error["code"])


def is_trial(path: str, query: str) -> bool:
    return path in ("/track", "/batch") and "dry_run=1" in query.split("&")


@pytest.mark.parametrize("path", SINGLE)
@LAW
@given(body=bodies, said=headers, query=queries)
def test_one_event_is_accepted_or_kept_or_refused_whole(
    keeping: Api,
    documented: Callable[[str, str], set[int]],
    path: str,
    body: bytes,
    said: dict[str, bytes],
    query: str,
) -> None:
    answer = send(keeping, "POST", path, query, said, body)
    assert answer.status_code in documented("POST", path)
    if answer.is_success:
        assert stored(keeping) == ((0, 0) if is_trial(path, query) else (1, 0))
    else:
        kept = check_error(answer) in REJECTED_CODES and not is_trial(path, query)
        assert stored(keeping) == (0, kept)


@pytest.mark.parametrize("path", ["/batch", "/v1/batch"])
@LAW
@given(body=batches | damaged(batches) | bodies, said=headers, query=queries)
def test_of_a_batch_each_event_is_accepted_or_kept_or_the_whole_is_refused(
    keeping: Api,
    documented: Callable[[str, str], set[int]],
    path: str,
    body: bytes,
    said: dict[str, bytes],
    query: str,
) -> None:
    answer = send(keeping, "POST", path, query, said, body)
    assert answer.status_code in documented("POST", path)
    if is_trial(path, query):
        assert stored(keeping) == (0, 0)
    elif answer.is_success:
        counted = answer.json()
        assert stored(keeping) == (counted["accepted"], len(counted["rejected"]))
        assert len({event["index"] for event in counted["rejected"]}) == len(counted["rejected"])
    else:
        assert stored(keeping) == (0, check_error(answer) in REJECTED_CODES)


@LAW
@given(each=st.lists(events.filter(is_json) | good_events, max_size=6), form=st.sampled_from(FORMS))
def test_as_many_events_come_out_of_a_batch_as_are_in_it(
    keeping: Api, each: list[str], form: Callable[[list[str]], str]
) -> None:
    answer = send(keeping, "POST", "/batch", "key=pk_localhost", {}, form(each).encode())
    if answer.status_code == 403:
        assert check_error(answer) == "other_site"
        assert stored(keeping) == (0, 0)
        return
    assert sum(stored(keeping)) == len(each)
    assert answer.json()["accepted"] + len(answer.json()["rejected"]) == len(each)


@LAW
@given(query=queries | st.lists(st.tuples(st.sampled_from(NAMES), st.text())).map(urlencode), said=headers)
def test_a_pixel_is_answered_with_an_image_and_a_documented_status(
    keeping: Api, documented: Callable[[str, str], set[int]], query: str, said: dict[str, bytes]
) -> None:
    answer = send(keeping, "GET", "/pixel.gif", query, said, b"")
    assert answer.status_code in documented("GET", "/pixel.gif")
    assert answer.headers["content-type"] == "image/gif"
    assert stored(keeping) == (answer.is_success, answer.headers.get("logektor-error") in REJECTED_CODES)


@pytest.mark.parametrize("path", ["/whoami", "/health/live", "/health/ready", "/metrics", "/logektor.js"])
@LAW
@given(query=queries, said=headers)
def test_what_takes_no_event_answers_as_documented(
    api: Api, documented: Callable[[str, str], set[int]], path: str, query: str, said: dict[str, bytes]
) -> None:
    answer = send(api, "GET", path, query, said, b"")
    assert answer.status_code in documented("GET", path)
    assert stored(api) == (0, 0)


@LAW
@given(
    method=st.sampled_from(["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY"]),
    path=st.sampled_from(["/track", "/batch", "/v1/track", "/whoami", "/metrics", "/health/live", "/logektor.js"])
    | st.text(max_size=20).map(lambda text: "/" + quote(text)),
    said=headers,
    body=bodies,
)
def test_other_methods_and_paths_are_told(
    api: Api, method: str, path: str, said: dict[str, bytes], body: bytes
) -> None:
    answer = send(api, method, path, "", said, body)
    assert answer.status_code in {200, 204, 307, 401, 404, 405}
    assert stored(api) == (0, 0)
    if answer.is_error:
        assert check_error(answer) in {"not_found", "method_not_allowed", "unknown_key"}
    if answer.status_code == 405:
        assert answer.headers["allow"]


@LAW
@given(body=bodies, path=st.sampled_from([*SINGLE, "/batch", "/v1/batch"]))
def test_while_the_stream_is_away_only_an_empty_batch_is_taken(api: Api, body: bytes, path: str) -> None:
    api.stream.available = False
    answer = send(api, "POST", path, "", {}, body)
    assert answer.status_code in {200, 202, 401, 403, 413, 503}
    assert stored(api) == (0, 0)
    if answer.is_success:
        assert answer.json()["accepted"] == 0
        assert answer.json()["rejected"] == []


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (b'{"action": 1, broken', "invalid", "action: Expected str, got int."),
        (b'{"action": 1, "x": ' + b"[" * 100_000, "invalid", "action: Expected str, got int."),
        (b'{"action": "a", "action": 1}', "invalid", "action: Expected str, got int, but it is 1."),
        (b'{"action": "a", "objectType": "user", "objectId": ' + b"9" * 5_000 + b"}", "invalid", "out of range"),
        (b'{"action": "a", "datetimeStamp": 1e999999}', "invalid", "datetimeStamp: Number out of range"),
        (b'{"action": "a\x00"}', "undecodable", "invalid character"),
        (b'{"action": "\xff"}', "undecodable", "not JSON in UTF-8"),
        (b"[" * 100_000, "invalid", "Expected object, got array."),
        (b'{"action": "a", "properties": ' + b'{"a":' * 100_000, "undecodable", "recursion"),
        (b"", "undecodable", "truncated"),
    ],
)
def test_what_can_never_be_an_event_is_kept_with_a_sentence(api: Api, body: bytes, code: str, says: str) -> None:
    answer = api.request("POST", "/track", content=body)
    assert answer.status_code == 400
    assert check_error(answer) == code
    assert says in answer.json()["error"]["message"]
    (kept,) = api.rejections()
    assert (kept.reason, kept.body_length) == (code, len(body))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/track", '{"action": "a", "%s": 1}'),
        ("/batch", '[{"action": "a", "%s": 1}]'),
        ("/v1/track", '{"event": "a", "type": "%s", "properties": 1}'),
        ("/v1/batch", '{"batch": [{"event": "a", "type": "%s"}]}'),
        ("/api/event", '{"n": "a", "w": "%s"}'),
    ],
)
def test_a_name_as_long_as_a_body_still_makes_a_rejection_that_fits_into_a_record(
    api: Api, path: str, body: str
) -> None:
    answer = api.request("POST", path, content=(body % ("x" * 200_000)).encode())
    assert len(answer.content) < 1_000
    (kept,) = api.records(REJECTED.name)
    assert len(kept) < MAX_REJECTION_BYTES


def test_of_a_repeated_name_the_last_counts(api: Api) -> None:
    assert api.request("POST", "/track", content=b'{"action": "first", "action": "last"}').status_code == 202
    assert api.event().action == "last"


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"authorization": "Bearer pk_ü".encode()}, 401, "unknown_key"),
        ({"authorization": b"\xff"}, 401, "unknown_key"),
        ({"origin": b"http://localhost\xff"}, 403, "origin_not_allowed"),
        ({"origin": b"http://localhost\xff", "authorization": b"Bearer pk_localhost"}, 403, "origin_not_allowed"),
    ],
)
def test_a_key_or_origin_that_is_not_ascii_is_not_taken_for_none(
    api: Api, said: dict[str, bytes], status: int, code: str
) -> None:
    answer = send(api, "POST", "/track", "", said, b'{"action": "a"}')
    assert (answer.status_code, check_error(answer)) == (status, code)
    assert stored(api) == (0, 0)


class SlowUpload:
    """A body that arrives when it is told to."""

    def __init__(self, size: int, chunked: bool) -> None:
        self.size = size
        self.headers = FakeHeaders([] if chunked else [("content-length", str(size))])
        self.arrived = asyncio.Event()

    def __call__(self) -> "asyncio.Future[bytes]":
        return asyncio.ensure_future(self._whole())

    async def _whole(self) -> bytes:
        await self.arrived.wait()
        return bytes(self.size)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield bytes(self.size)
        await self.arrived.wait()

    def response_bytes(self, status: int, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        raise AssertionError("it is not answered here")


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_that_arrive_at_once_have_room_for_few_and_small_ones_always(chunked: bool) -> None:
    async def upload() -> None:
        requests = RequestReader(1_000_000, seconds=30)
        large = [SlowUpload(1_000_000, chunked) for _ in range(16)]
        arriving = [asyncio.create_task(requests.body(each.headers, each)) for each in large]
        await asyncio.sleep(0)
        one_more = SlowUpload(1_000_000, chunked)
        one_more.arrived.set()
        with pytest.raises(NotDurable):
            await requests.body(one_more.headers, one_more)
        small = SlowUpload(60_000, chunked)
        small.arrived.set()
        assert len(await requests.body(small.headers, small)) == 60_000
        for each in large:
            each.arrived.set()
        assert {len(body) for body in await asyncio.gather(*arriving)} == {1_000_000}
        assert len(await requests.body(one_more.headers, one_more)) == 1_000_000

    asyncio.run(upload())


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/batch", "application/json", b"[" + b"{}," * 300_000 + b"{}]"),
        ("/batch", "application/json", b"{}\n" * 300_000),
        ("/batch", "application/x-ndjson", b"{}\n" * 300_000),
        ("/batch", "application/x-ndjson", b'{"action":"a"}\n' * 60_000),
        ("/v1/batch", "application/json", b'{"batch":[' + b"{}," * 300_000 + b"{}]}"),
        ("/v1/batch", "application/json", b'{"batch":[],"context":{"a":[' + b"{}," * 300_000 + b"{}]}}"),
        ("/v1/batch", "application/json", b'{"batch":[],"context":{"a":' + b"[" * 300_000),
        ("/v1/track", "application/json", b'{"event":"a","properties":{"a":[' + b"{}," * 300_000 + b"{}]}}"),
        ("/api/event", "application/json", b'{"n":"a","p":{"a":[' + b"{}," * 300_000 + b"{}]}}"),
    ],
)
def test_a_body_of_too_many_values_is_refused_before_an_object_is_made_of_each(
    api: Api, path: str, media_type: str, body: bytes
) -> None:
    api.request("POST", path, content=body, headers={"content-type": media_type})
    tracemalloc.start()
    try:
        answer = api.request("POST", path, content=body, headers={"content-type": media_type})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert peak < 4 * len(body) + 1_000_000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/track", b'{"action": 1}'),
        ("/track", b'{"action"'),
        ("/track", b'{"action": "a", "properties": {"a": "' + b"x" * 100_000 + b'"}}'),
        ("/track?dry_run=1", b'{"action": 1}'),
        ("/track?key=unknown", b'{"action": "a"}'),
        ("/batch", b'"x"'),
        ("/batch", b'[{"action": 1}]'),
        ("/v1/track", b'{"event": 1}'),
        ("/v1/batch", b'{"batch": [{"event": 1}]}'),
        ("/v1/batch", b'{"event": 1}'),
        ("/api/event", b'{"n": '),
    ],
)
def test_a_refused_body_is_freed_with_its_request_and_does_not_wait_for_the_garbage_collector(
    api: Api, path: str, body: bytes
) -> None:
    async def left_behind() -> list[object]:
        request = httpx.Request("POST", f"http://collector{path}", content=body)
        scope, exchange = FakeScope(request, "192.0.2.7:40000"), FakeExchange(request)
        gc.collect()
        gc.disable()
        try:
            await api.app(scope, exchange)
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            return [each for each in gc.garbage if isinstance(each, BaseException | FrameType)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    assert asyncio.run(left_behind()) == []


def used_codes() -> set[str]:
    """Each code that the source gives an error."""
    package = Path(ingest_api.__file__).parent
    calls = [
        node
        for module in package.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", ""))
        in {"RequestRefused", "EventRejected", "error", "_error", "__init__"}
    ]
    literals = [each.value for call in calls for each in call.args[:2] if isinstance(each, ast.Constant)]
    return {code for code in literals if isinstance(code, str) and code.replace("_", "").isalpha()}


def test_each_code_of_an_error_is_documented_with_its_status_and_what_to_do() -> None:
    page = (Path(ingest_api.__file__).parent.parent / "docs" / "http_api.md").read_text()
    table = set(re.findall(r"^\| `(\w+)` \| [45]\d\d \| .+ \| .+ \|$", page, re.MULTILINE))
    assert table == used_codes() | {"not_found", "method_not_allowed"}
    assert len(table) > 15
