"""A home whose table `hits` was built by the pipelines from landed events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars as pl

from lake.location import Lake
from pipelines.refresh.events import take_in
from pipelines.refresh.reports import build
from pipelines.reports.conversions import CONVERSIONS
from pipelines.reports.hits import HITS
from pipelines.reports.sessions import SESSIONS
from query_api.app import create_app
from query_api.grants import Role, issue
from query_api.settings import QuerySettings
from query_api.tokens import read_token
from sites import load_sites, register_site
from tests.query_api.conftest import OTHER, SITE, Client
from tests.refresh.landing import Landing
from tests.reports.rows import FIREFOX, GOOGLEBOT

ZONE = "Europe/Berlin"
NOW = datetime(2026, 3, 30, 15, 20, 30, tzinfo=UTC)
"""Summer time begins the day before."""

_GOALS = """
[[site.goal]]
name = "Sign up"
action = "signup"

[[site.goal]]
name = "Docs"
page = "/docs/**"
"""
_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)


@dataclass(frozen=True)
class HitsHome:
    """A home, the landing into its lake, and what asks its API at NOW."""

    path: Path
    landing: Landing

    @property
    def lake(self) -> Lake:
        return Lake(str(self.path / "lake"))

    def refresh(self) -> None:
        """Brings `hits` and what it is built from up to date."""
        sites = load_sites(self.path / "sites.toml")
        take_in(self.lake, sites.time_zones())
        for report in (SESSIONS, CONVERSIONS, HITS):
            build(self.lake, report, None, sites=sites)

    def client(self, role: Role = "admin", *sites: str) -> Client:
        """The app at NOW, asked with the home's own token, or with one of a role."""
        app = create_app(QuerySettings.model_validate({"home": self.path}), lambda: NOW)
        token = read_token(self.path) if role == "admin" else issue(self.path, "test", role, sites, NOW, None)[0]
        return Client(app, {"Authorization": f"Bearer {token}"})

    def in_files(self) -> pl.DataFrame:
        """The rows of `hits` as DuckDB reads them from the table's Parquet files, where no day was replaced."""
        with duckdb.connect() as connection:
            files = f"{self.lake.table_uri('hits')}/*/*.parquet"
            connection.execute("SET TimeZone = 'UTC'")
            rows: pl.DataFrame = connection.sql("FROM read_parquet(?, hive_partitioning = true)", params=[files]).pl()
        return rows.with_columns(pl.col("date").cast(pl.Date()))


def new_home(path: Path) -> HitsHome:
    """Two sites, the first with two goals, and an empty lake."""
    register_site(path / "sites.toml", SITE, ZONE)
    with (path / "sites.toml").open("a", encoding="utf-8") as file:
        file.write(_GOALS)
    register_site(path / "sites.toml", OTHER)
    return HitsHome(path, Landing(Lake(str(path / "lake"))))


def generated(count: int, seed: int) -> Iterable[Mapping[str, Any]]:
    """Landed events of a few visitors over the three days before NOW, some of bots, some of nobody."""
    random = Random(seed)
    for _ in range(count):
        visitor = random.choice(["v1", "v2", "v3", "v4", "v5", "v6", None])
        action = random.choice(["pageview", "pageview", "pageview", "signup", "engagement", "error"])
        path = random.choice(["/", "/a", "/docs/one", "/docs/two", "/ä%20/%27"])
        campaign = random.choice(["", "", "?utm_source=news&utm_medium=email", "?utm_campaign=a&utm_source=B"])
        yield {
            "site": random.choice([SITE, SITE, SITE, OTHER]),
            "occurred_at": NOW - timedelta(minutes=random.randint(0, 3 * 24 * 60)),
            "action": action,
            "visitor_id": visitor,
            "url": f"https://www.{SITE}{path}{campaign}",
            "referrer": random.choice([None, "https://www.google.com/", "https://blog.example/a"]),
            "user_agent": GOOGLEBOT if visitor == "v6" else random.choice([FIREFOX, _IPHONE, None]),
            "country": random.choice(["DE", "FR", None]),
            "properties": random.choice([None, '{"plan":"a"}', '{"plan":7}'])
            if action != "engagement"
            else f'{{"engagedMs":{random.randint(0, 60_000)},"scrollDepth":{random.randint(0, 100)}}}',
        }
