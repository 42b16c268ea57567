"""Who may read: the token opens everything under /api/, and nothing else does."""

from urllib.parse import urlsplit

import httpx
import pytest

from query_api.app import create_app
from tests.query_api.conftest import OTHER, SITE, Client, Home


@pytest.fixture(scope="module")
def stranger(home: Home) -> Client:
    return Client(create_app(home.settings()), {})


@pytest.mark.parametrize(
    "path", ["/api/reports", "/api/reports/traffic", "/api/sites", "/api/openapi.json", "/api/nothing", "/api/"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_without_the_token_nothing_under_api_answers(stranger: Client, method: str, path: str) -> None:
    answer = stranger.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "sent", ["Bearer", "Bearer ", "Bearer rt_wrong", "Basic {token}", "{token}", "Bearer {token}x"]
)
def test_a_wrong_token_opens_nothing(stranger: Client, home: Home, sent: str) -> None:
    answer = stranger.get("/api/reports", headers={"Authorization": sent.format(token=home.token)})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorized"


def test_the_token_is_no_parameter_of_the_api(stranger: Client, home: Home) -> None:
    assert stranger.get("/api/reports", params={"token": home.token}).status_code == 401


def test_the_right_token_opens(stranger: Client, home: Home) -> None:
    assert stranger.get("/api/reports", headers={"Authorization": f"bearer {home.token}"}).status_code == 200


def test_the_link_becomes_a_cookie_that_scripts_and_other_sites_never_get(stranger: Client, home: Home) -> None:
    answer = stranger.get("/", params={"token": home.token, "site": SITE, "range": "7d"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/?site={SITE}&range=7d"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    sent_back = {"Cookie": cookie.partition(";")[0]}
    assert stranger.get("/", headers=sent_back).status_code == 200
    assert stranger.get("/api/reports", headers=sent_back).status_code == 200


def test_stacks_on_other_ports_of_a_machine_keep_their_own_cookies(stranger: Client, home: Home) -> None:
    one = stranger.get("/", params={"token": home.token}, headers={"Host": "127.0.0.1:8000"}).headers["set-cookie"]
    other = stranger.get("/", params={"token": home.token}, headers={"Host": "127.0.0.1:8001"}).headers["set-cookie"]
    assert one.partition("=")[0] != other.partition("=")[0]


@pytest.mark.parametrize("site", ["//evil.example", "https://evil.example", "\r\nX-Injected: 1", OTHER])
def test_the_link_leads_to_this_server_only(stranger: Client, home: Home, site: str) -> None:
    answer = stranger.get("/", params={"token": home.token, "site": site})
    target = urlsplit(answer.headers["location"])
    assert (target.scheme, target.netloc, target.path) == ("", "", "/")
    assert "x-injected" not in answer.headers


@pytest.mark.parametrize("parameters", [{}, {"token": "rt_old"}, {"token": ""}])
def test_who_is_not_let_in_reads_how_to_get_in(stranger: Client, parameters: dict[str, str]) -> None:
    answer = stranger.get("/", params=parameters)
    assert answer.status_code == 401
    assert "logektor status" in answer.text


def test_health_is_open(stranger: Client) -> None:
    assert stranger.get("/health/live").json() == {"status": "live"}
    assert stranger.get("/health/ready").json() == {"status": "ready"}


@pytest.mark.parametrize("path", ["/", "/dashboard/main.js", "/dashboard/nothing.js", "/api/reports", "/health/live"])
def test_every_answer_forbids_other_hosts(stranger: Client, path: str) -> None:
    headers = stranger.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; ")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/dashboard/../tokens.py", "/dashboard/%2e%2e/tokens.py", "/dashboard/..%2f..%2fread_token", "/tokens.py"]
)
def test_no_path_of_the_dashboard_leads_out_of_its_folder(server: str, path: str) -> None:
    host, port = urlsplit(server).hostname, urlsplit(server).port
    answer = httpx.get(httpx.URL(scheme="http", host=host, port=port, raw_path=path.encode()))
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
