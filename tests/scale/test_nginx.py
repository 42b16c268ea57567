"""What the balancers do by themselves, in front of small servers that say what they got."""

import json
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from logektor.embedded_kafka import free_port
from logektor.probes import listens
from tests.scale.deployment import NGINX, configure_nginx, nginx_command
from tests.scale.server_process import until

pytestmark = pytest.mark.scale

CLIENT = "127.0.3.7"
"""Where the tests' requests come from: each address of 127.0.0.0/8 is this machine's own."""

GONE = "gone"


@dataclass
class Upstream:
    """A process behind nginx that answers with a status, or goes away without an answer."""

    status: int | str = 202
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers and body of each request."""

    def __post_init__(self) -> None:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                upstream.got.append((self.path, headers, body))
                if isinstance(upstream.status, str):
                    self.close_connection = True
                    return
                said = json.dumps({"error": {"code": "own"}} if upstream.status >= 400 else {}).encode()
                self.send_response(upstream.status)
                self.send_header("content-length", str(len(said)))
                self.send_header("set-cookie", "logektor_read_default=secret; HttpOnly")
                self.end_headers()
                self.wfile.write(said)

            do_POST = do_GET  # noqa: N815 - the base class wants it so

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@dataclass
class Balancers:
    """nginx, and how it is asked."""

    write: str
    read: str
    log: Path
    configuration: Path

    def post(
        self, path: str, content: bytes = b"{}", *, client: str = CLIENT, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        with asking(client) as http:
            return http.post(f"{self.write}{path}", content=content, headers=headers)

    def get(self, path: str, *, client: str = CLIENT) -> httpx.Response:
        with asking(client) as http:
            return http.get(f"{self.read}{path}")

    def logged(self, what: str) -> str:
        """The log, once this is in it."""
        until(lambda: what in self.log.read_text(), f"{what} in the log", 10)
        return self.log.read_text()


def asking(client: str) -> httpx.Client:
    return httpx.Client(transport=httpx.HTTPTransport(local_address=client), timeout=30)


@contextmanager
def nginx(configuration: Path, folder: Path, port: int) -> Iterator[Path]:
    """Runs it; where its log is."""
    prefix = folder / "prefix"
    prefix.mkdir()
    log = folder / "nginx.log"
    with log.open("ab") as words:
        process = subprocess.Popen(nginx_command(configuration, prefix), stdout=words, stderr=words)
    try:
        until(lambda: listens(port), "nginx listens", 30)
        yield log
    finally:
        process.terminate()
        process.wait(30)


def replace_in(configuration: Path, setting: str, other: str) -> None:
    """Another value in whichever files have it."""
    files = [file for file in configuration.glob("*.conf") if setting in file.read_text()]
    assert files
    for file in files:
        file.write_text(file.read_text().replace(setting, other))


Balanced = Callable[..., Balancers]


@pytest.fixture
def balanced(tmp_path: Path) -> Iterator[Balanced]:
    """Starts nginx in front of these upstreams, each for both sides; a number is a port that nobody listens on.

    `limits` are other ones in place of those in the configuration.
    """
    with ExitStack() as stack:

        def start(*upstreams: Upstream | int, limits: Mapping[str, str] | None = None) -> Balancers:
            ports = [each if isinstance(each, int) else each.port for each in upstreams]
            for each in upstreams:
                if isinstance(each, Upstream):
                    stack.callback(each.close)
            write, read = free_port(), free_port()
            configuration = configure_nginx(tmp_path / "configuration", ports, ports, write, read)
            for limit, other in (limits or {}).items():
                replace_in(configuration, limit, other)
            log = stack.enter_context(nginx(configuration, tmp_path, write))
            return Balancers(f"http://127.0.0.1:{write}", f"http://127.0.0.1:{read}", log, configuration)

        yield start


def test_the_configuration_is_right_as_it_is(tmp_path: Path) -> None:
    command = [*nginx_command(NGINX, tmp_path), "-t"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert "test is successful" in said.stderr
    assert "warn" not in said.stderr


def test_each_file_says_what_was_run() -> None:
    for file in NGINX.glob("*.conf"):
        head = "".join(file.read_text().splitlines()[:4])
        assert re.search(r"\brun\b|\bRun\b", head), file.name


@pytest.mark.parametrize("trouble", [503, GONE, None])
def test_an_event_goes_to_another_collector_where_one_is_in_trouble(
    balanced: Balanced, trouble: int | str | None
) -> None:
    good = Upstream()
    bad = Upstream(trouble) if trouble is not None else free_port()
    balancers = balanced(bad, good)
    answers = [balancers.post("/track", b'{"action": "x"}').status_code for _ in range(6)]
    assert answers == [202] * 6
    assert len(good.got) == 6
    if isinstance(bad, Upstream):
        assert bad.got
        again = [headers["idempotency-key"] for _, headers, _ in good.got]
        assert {headers["idempotency-key"] for _, headers, _ in bad.got} <= set(again)
        assert len(set(again)) == 6
    tried = f"POST /track 202 in .*, answered {503 if trouble == 503 else 502}, 202"
    assert re.search(tried, balancers.logged("POST /track 202"))


def test_a_clients_own_idempotency_key_stays(balanced: Balanced) -> None:
    upstream = Upstream()
    balanced(upstream).post("/track", headers={"Idempotency-Key": "4711"})
    assert upstream.got[0][1]["idempotency-key"] == "4711"


@pytest.mark.parametrize("trouble", [503, GONE, None])
def test_a_read_is_asked_of_another_query_api_where_one_is_in_trouble(
    balanced: Balanced, trouble: int | str | None
) -> None:
    good = Upstream(200)
    balancers = balanced(Upstream(trouble) if trouble is not None else free_port(), good)
    assert [balancers.get("/api/reports").status_code for _ in range(6)] == [200] * 6


def test_who_failed_often_is_asked_again_as_soon_as_it_is_back(balanced: Balanced) -> None:
    one, other = Upstream(GONE), Upstream(200)
    balancers = balanced(one, other)
    for _ in range(40):
        assert balancers.post("/track").status_code == 200
    one.status, other.status = 200, GONE
    assert {balancers.post("/track").status_code for _ in range(5)} == {200}
    assert {balancers.get("/api/reports").status_code for _ in range(5)} == {200}


def test_the_last_ones_own_words_reach_the_client(balanced: Balanced) -> None:
    balancers = balanced(Upstream(503), Upstream(503))
    answer = balancers.post("/track")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "own")


def test_where_nobody_answers_a_client_is_told_to_come_again(balanced: Balanced) -> None:
    balancers = balanced(free_port(), free_port())
    answer = balancers.post("/track")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_durable")
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["access-control-allow-origin"] == "*"
    answer = balancers.get("/api/reports")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "away")


def test_a_body_over_the_limit_is_a_413_that_a_page_can_read(balanced: Balanced) -> None:
    upstream = Upstream()
    balancers = balanced(upstream)
    answer = balancers.post("/batch", b"x" * (4 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not upstream.got
    assert balancers.post("/batch", b"x" * (4 * 1024 * 1024)).status_code == 202
    assert len(upstream.got[0][2]) == 4 * 1024 * 1024


def test_what_a_client_says_of_its_address_is_not_passed_on(balanced: Balanced) -> None:
    upstream = Upstream()
    balanced(upstream).post("/track", headers={"X-Forwarded-For": "203.0.113.9"})
    assert upstream.got[0][1]["x-forwarded-for"] == CLIENT


def test_one_address_can_not_take_it_all(balanced: Balanced) -> None:
    balancers = balanced(Upstream(), limits={"rate=200r/s": "rate=1r/m", "burst=400": "burst=4"})
    answers = [balancers.post("/track") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert answers[5].json()["error"]["code"] == "too_fast"
    assert answers[5].headers["access-control-allow-origin"] == "*"
    assert int(answers[5].headers["retry-after"]) > 0
    assert balancers.post("/track", client="127.0.3.8").status_code == 202


def test_logs_hold_neither_addresses_of_clients_nor_query_strings(balanced: Balanced) -> None:
    balancers = balanced(free_port(), Upstream(500))
    balancers.get("/?token=secret")
    balancers.post("/track?key=secret")
    balancers.post("/batch", b"x" * 5_000_000)
    logged = balancers.logged("POST /batch 413")
    assert "GET / 500" in logged
    assert CLIENT not in logged
    assert "secret" not in logged


def test_metrics_are_not_for_the_world(balanced: Balanced) -> None:
    upstream = Upstream()
    balancers = balanced(upstream)
    assert httpx.get(f"{balancers.write}/metrics").status_code == 404
    assert httpx.get(f"{balancers.write}/balancer/live").json() == {"status": "live"}
    assert httpx.get(f"{balancers.read}/balancer/live").json() == {"status": "live"}
    assert not upstream.got


def test_the_tls_example_takes_events_and_keeps_cookies_from_plain_http(tmp_path: Path) -> None:
    upstream = Upstream()
    port = free_port()
    configuration = configure_nginx(tmp_path / "configuration", [upstream.port], [upstream.port], 0, 0)
    made = tmp_path / "configuration" / "tls"
    made.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",  # noqa: S607
         "-addext", "subjectAltName=DNS:events.example.com,DNS:stats.example.com",
         "-keyout", made / "privkey.pem", "-out", made / "fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    example = (configuration / "servers_tls.conf").read_text()
    example = example.replace("listen 443", f"listen 127.0.0.1:{port}").replace(
        "listen 80;", f"listen 127.0.0.1:{free_port()};"
    )
    (configuration / "servers.conf").write_text(example)
    trusted = ssl.create_default_context(cafile=str(made / "fullchain.pem"))
    try:
        with nginx(configuration, tmp_path, port), httpx.Client(verify=trusted) as client:

            def ask(method: str, host: str) -> httpx.Response:
                url = f"https://127.0.0.1:{port}/"
                return client.request(method, url, headers={"Host": host}, extensions={"sni_hostname": host})

            assert ask("POST", "events.example.com").status_code == 202
            cookie = ask("GET", "stats.example.com").headers["set-cookie"]
    finally:
        upstream.close()
    assert "secure" in cookie.lower()
    assert upstream.got[0][1]["x-forwarded-proto"] == "https"
