"""Filters, ranges, comparisons and files of the dashboard, answered by the statistics: in a real browser."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from lake.location import Lake
from lake.report_table import ReportTable
from lake.table_spec import TableSpec
from pipelines.reports.funnels import FUNNELS
from pipelines.reports.hits import HITS
from pipelines.reports.retention import RETENTION
from pipelines.reports.traffic import TRAFFIC
from query_api.tokens import read_token
from sites import register_site
from tests.query_api.axe import violations
from tests.query_api.conftest import SITE, TODAY, Home, running_server
from tests.written_day import write_day

pytestmark = pytest.mark.browser

DAYS = [TODAY - timedelta(days=ago) for ago in range(14)]
LAST_YEAR = [day - timedelta(days=365) for day in DAYS[:7]]
VISITS = 24
"""Of each day, one an hour; of each two pages and of every fourth a goal."""

SOURCES = (("Google", "Organic Search"), ("Hacker News, the site", "Referral"), ("Direct / None", "Direct"))
COUNTRIES = ("DE", "US", "US", None)
CAMPAIGN = {"utm_campaign": "spring", "utm_source": "news", "utm_medium": "email", "utm_content": "top"}
PROPERTIES = ('{"plan":"free","size":3}', '{"plan":"pro"}')


def visits_of(day: date, visits: int) -> Iterator[dict[str, object]]:
    for number in range(visits):
        source, channel = SOURCES[number % 3]
        entry, goal = ("/", "/docs")[number % 2], number % 4 == 0
        paths = [entry, "/pricing"] if goal else [entry]
        for place, path in enumerate(paths):
            yield {
                "site": SITE,
                "date": day,
                "event_id": f"{day}-{number}-{place}",
                "occurred_at": datetime.combine(day, time(number % 24, 5 * place), UTC),
                "action": "pageview",
                "path": path,
                "host": SITE,
                "visitor_id": f"{day}-{number}",
                "session_id": day.toordinal() * 1_000 + number,
                "source": source,
                "channel": channel,
                "entry_page": entry,
                "exit_page": paths[-1],
                **(CAMPAIGN if number % 6 == 0 else {}),
                "country": COUNTRIES[number % 4],
                "device": "Desktop",
                "browser": "Firefox",
                "os": "Linux",
                "session_pageviews": len(paths),
                "session_seconds": 300 * (len(paths) - 1),
                "session_is_bounce": len(paths) == 1,
                "goals": ["Saw prices"] if path == "/pricing" else [],
                "properties": PROPERTIES[number % 8 == 0] if path == "/pricing" else None,
            }


def write(home: Path, spec: TableSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Fills in what is left out: 0 for numbers, null else."""
    whole = rows.select(
        pl.col(name)
        if name in rows.columns
        else pl.lit(0 if kind.is_numeric() and not spec.single_rows else None, kind).alias(name)
        for name, kind in spec.schema.items()
    ).cast(pl.Schema(spec.schema))
    table = ReportTable(Lake(str(home / "lake")), spec)
    table.declare()
    for (day,), of_day in whole.group_by("date"):
        assert isinstance(day, date)
        write_day(table, day, of_day)
    return whole


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    path = tmp_path_factory.mktemp("home")
    register_site(path / "sites.toml", SITE, "UTC")
    rows = [row for day in DAYS for row in visits_of(day, VISITS)]
    rows += [row for day in LAST_YEAR for row in visits_of(day, VISITS // 2)]
    hits = write(path, HITS.spec, pl.DataFrame(rows, infer_schema_length=None))
    traffic = hits.group_by("site", "date").agg(
        pl.col("visitor_id").n_unique().alias("visitors"),
        pl.col("session_id").n_unique().alias("visits"),
        pl.len().alias("pageviews"),
        pl.len().alias("events"),
    )
    write(path, TRAFFIC.spec, traffic)
    steps = [
        {"site": SITE, "date": day, "funnel": "Buy", "step": step, "goal": goal, "people": people}
        for day in DAYS[:7]
        for step, goal, people in ((1, "Visit", 10), (2, "Saw prices", 4))
    ]
    write(path, FUNNELS.spec, pl.DataFrame(steps))
    monday = TODAY - timedelta(days=TODAY.weekday())
    weeks = [
        {"site": SITE, "date": monday - timedelta(weeks=ago), "cohort": monday - timedelta(weeks=3), "people": people}
        for ago, people in ((3, 8), (2, 4), (1, 2))
    ]
    cohorts = pl.DataFrame(weeks).with_columns(weeks_since=(pl.col("date") - pl.col("cohort")).dt.total_days() // 7)
    write(path, RETENTION.spec, cohorts)
    return Home(path, read_token(path), {"hits": hits, "traffic": traffic})


@pytest.fixture(scope="module")
def server(home: Home) -> Iterator[str]:
    with running_server(home.path) as url:
        yield url


def last_days(home: Home, days: int = 7, after: int = 0) -> pl.DataFrame:
    """Events of so many days, the last of which is yesterday or so much before."""
    last = TODAY - timedelta(days=1 + after)
    return home.frames["hits"].filter(pl.col("date").is_between(last - timedelta(days=days - 1), last))


WEEK = f"site={SITE}&from={DAYS[7]}&to={DAYS[1]}"


def open_dashboard(page: Page, server: str, home: Home, query: str = WEEK) -> None:
    page.goto(f"{server}/?token={home.token}&{query}")
    wait_until_drawn(page)


def wait_until_drawn(page: Page) -> None:
    expect(page.locator("#numbers")).to_have_attribute("aria-busy", "false")
    expect(page.locator('.panel[aria-busy="true"]')).to_have_count(0)


def tile(page: Page, metric: str) -> str:
    return page.locator(f'[data-metric="{metric}"] .tile-value').inner_text()


def rows_of(page: Page, box: str) -> list[list[str]]:
    rows = page.locator(f'[data-box="{box}"] tbody tr')
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def choose_row(page: Page, box: str, words: str) -> None:
    page.locator(f'[data-box="{box}"]').get_by_role("button", name=words, exact=True).click()
    wait_until_drawn(page)


def visits_in(rows: pl.DataFrame) -> int:
    return rows["session_id"].n_unique()


def test_the_numbers_are_those_of_the_events(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    hits = last_days(home)
    visits = visits_in(hits)
    assert tile(page, "visits") == str(visits)
    assert tile(page, "pageviews") == str(hits.height)
    assert tile(page, "views_per_visit") == "1.3"  # 1.25
    bounces = visits_in(hits.filter("session_is_bounce"))
    assert tile(page, "bounce_rate") == f"{100 * bounces / visits:.0f}%"
    goals = visits_in(hits.filter(pl.col("goals").list.len() > 0))
    assert rows_of(page, "goals") == [["Saw prices", str(goals), str(goals), f"{100 * goals / visits:.1f}%"]]
    assert {words for words, *_ in rows_of(page, "places")} == {"United States", "Germany", "(unknown)"}


def test_a_click_filters_everything_and_a_chip_takes_it_back(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    everything = tile(page, "visits")
    choose_row(page, "sources", "Hacker News, the site")
    hits = last_days(home).filter(source="Hacker News, the site")
    assert tile(page, "visits") == str(visits_in(hits))
    expect(page).to_have_url(f"{server}/?{WEEK}&f=is,source,Hacker%20News%252C%20the%20site")
    expect(page.locator("#said")).to_have_text("Filtered by Source Hacker News, the site")
    assert [words for words, *_ in rows_of(page, "sources")] == ["Hacker News, the site"]
    choose_row(page, "places", "(unknown)")
    hits = hits.filter(pl.col("country").is_null())
    assert tile(page, "visits") == str(visits_in(hits))
    by_page = hits.group_by("path").agg(pl.col("session_id").n_unique()).sort("session_id", "path", descending=True)
    assert sorted(words for words, *_ in rows_of(page, "pages")) == sorted(by_page["path"])

    page.reload()
    wait_until_drawn(page)
    assert tile(page, "visits") == str(visits_in(hits))
    page.get_by_role("button", name="Remove the filter Country is (unknown)").click()
    wait_until_drawn(page)
    page.go_back()
    expect(page.locator(".chip")).to_have_count(2)
    page.get_by_role("button", name="Clear all").click()
    wait_until_drawn(page)
    assert tile(page, "visits") == everything
    expect(page).to_have_url(f"{server}/?{WEEK}")


def test_the_editor_filters_by_what_contains_or_is_not(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    page.get_by_role("button", name="+ Filter").click()
    page.locator("#filter-dimension").select_option(label="Entry page")
    page.locator("#filter-operator").select_option(label="does not contain")
    page.locator("#filter-value").fill("oc")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server}/?{WEEK}&f=contains_not,entry_page,oc")
    wait_until_drawn(page)
    assert tile(page, "visits") == str(visits_in(last_days(home).filter(entry_page="/")))


def test_the_editor_offers_the_values_that_are_there(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    page.get_by_role("button", name="+ Filter").click()
    page.locator("#filter-dimension").select_option(label="Country")
    offered = page.locator("#filter-values option")
    expect(offered).to_have_count(3)
    assert {option.get_attribute("value") for option in offered.all()} == {"United States", "Germany", "(unknown)"}
    page.locator("#filter-value").fill("Germany")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server}/?{WEEK}&f=is,country,DE")


def test_a_goal_turns_the_numbers_into_conversions(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"{WEEK}&metric=bounce_rate")
    page.locator('[data-metric="visits"]').click()
    wait_until_drawn(page)
    choose_row(page, "goals", "Saw prices")
    week, before = last_days(home), last_days(home, after=7)
    reached = week.filter(pl.col("goals").list.len() > 0)
    rate = 100 * visits_in(reached) / visits_in(week)
    assert page.locator(".tile-label").all_inner_texts() == [
        "Unique conversions",
        "Total conversions",
        "Conversion rate",
    ]
    assert [tile(page, metric) for metric in ("visitors", "events", "conversion_rate")] == [
        str(visits_in(reached)),
        str(reached.height),
        f"{rate:.1f}%",
    ]
    assert before.is_empty() or "pp" in page.locator('[data-metric="conversion_rate"] .tile-change').inner_text()
    expect(page).to_have_url(f"{server}/?{WEEK}&f=is,goal,Saw%20prices")
    for words, visitors, share in rows_of(page, "sources"):
        source = week.filter(source=words)
        converted = visits_in(source.filter(pl.col("goals").list.len() > 0))
        assert (visitors, share) == (str(converted), f"{100 * converted / visits_in(source):.1f}%")
    assert page.locator('[data-box="sources"] thead th').all_inner_texts() == ["Source", "Conversions", "Rate"]
    page.locator('[data-metric="conversion_rate"]').click()
    wait_until_drawn(page)
    expect(page.locator("#chart-caption")).to_contain_text("Conversion rate by day")
    page.locator("#chart").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#chart-said")).to_contain_text(f"{rate:.1f}% conversion rate")
    page.get_by_role("button", name="Remove the filter").click()
    wait_until_drawn(page)
    expect(page).to_have_url(f"{server}/?{WEEK}")
    expect(page.locator(".tile")).to_have_count(6)
    assert violations(page) == []


def test_campaigns_are_ranked_by_each_of_their_five_words(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    box = page.locator('[data-box="campaigns"]')
    visits = str(visits_in(last_days(home).drop_nulls("utm_campaign")))
    box.get_by_role("tab", name="Campaign").focus()
    for words in ("spring", "news", "email", "top", None):
        wait_until_drawn(page)
        if words:
            assert rows_of(page, "campaigns") == [[words, visits, visits]]
        else:
            expect(box).to_contain_text("UTM term")
        # After the last comes the first again.
        page.keyboard.press("ArrowRight")
    choose_row(page, "campaigns", "spring")
    expect(page).to_have_url(f"{server}/?{WEEK}&f=is,utm_campaign,spring")
    assert tile(page, "visits") == visits


def test_properties_are_explored_by_name_and_filter_by_value(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    choice = page.get_by_label("Property")
    expect(choice.locator("option")).to_have_text(["plan", "size"])
    of_plan = (
        last_days(home)
        .drop_nulls("properties")
        .with_columns(
            plan=pl.col("properties").str.json_path_match("$.plan"),
            size=pl.col("properties").str.json_path_match("$.size"),
        )
    )
    plans = of_plan.group_by("plan").agg(pl.col("visitor_id").n_unique(), pl.len()).sort("plan")
    assert sorted(rows_of(page, "properties")) == [[str(cell) for cell in row] for row in plans.rows()]
    choice.focus()
    page.keyboard.press("ArrowDown")
    wait_until_drawn(page)
    count = str(of_plan.drop_nulls("size").height)
    expect(page.locator('[data-box="properties"] tbody tr')).to_have_text([f"3{count}{count}"])
    choice.select_option("plan")
    wait_until_drawn(page)
    with page.expect_download() as download:
        page.locator('[data-box="properties"]').get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == f"properties_plan_{SITE}_{DAYS[7]}_{DAYS[1]}.csv"
    assert pl.read_csv(download.value.path()).columns == ["props:plan", "visitors", "events"]
    choose_row(page, "properties", "pro")
    expect(page).to_have_url(f"{server}/?{WEEK}&f=is,props:plan,pro")
    expect(page.locator(".chip")).to_contain_text("Property plan is pro")
    assert tile(page, "pageviews") == str(of_plan.filter(plan="pro").height)
    page.get_by_role("button", name="+ Filter").click()
    page.locator("#filter-dimension").select_option(label="Property plan")
    offered = page.locator("#filter-values option")
    expect(offered).to_have_count(3)
    assert {option.get_attribute("value") for option in offered.all()} == {"free", "pro", "(none)"}


def test_filters_that_nothing_meets_can_be_cleared(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"{WEEK}&f=is,page,/nowhere")
    expect(page.locator("#notice")).to_contain_text("Nothing matches these filters")
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.locator("#notice")).to_be_hidden()
    expect(page).to_have_url(f"{server}/?{WEEK}")


def test_the_comparison_is_with_the_days_before_or_with_a_year_ago(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    change = page.locator('[data-metric="visits"] .tile-change')
    expect(change).to_contain_text("nothing to compare" if not visits_in(last_days(home, after=7)) else "%")
    page.get_by_label("Compare with").select_option("year")
    wait_until_drawn(page)
    expect(page).to_have_url(f"{server}/?{WEEK}&compare=year")
    year_ago = visits_in(last_days(home, after=365))
    expect(change).to_have_text(f"↑ up {100 * visits_in(last_days(home)) / year_ago - 100:.0f}%")
    page.get_by_label("Compare with").select_option("none")
    expect(change).to_have_count(0)


def test_the_chart_is_drawn_by_the_unit_that_is_chosen(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    page.get_by_label("Chart by").select_option("hour")
    wait_until_drawn(page)
    expect(page.locator("#chart-caption")).to_contain_text("by hour")
    chart = page.locator("#chart")
    chart.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#chart-said")).to_contain_text("00:00, 1 visitors")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server}/?site={SITE}&from={DAYS[7]}&to={DAYS[7]}")


def test_tabs_rows_and_chips_are_reached_by_the_keyboard_alone(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    sources = page.locator('[data-box="sources"]')
    sources.get_by_role("tab", name="Source").focus()
    page.keyboard.press("ArrowRight")
    expect(sources.get_by_role("tab", name="Channel")).to_be_focused()
    wait_until_drawn(page)
    assert {words for words, *_ in rows_of(page, "sources")} == {channel for _, channel in SOURCES}
    page.keyboard.press("Tab")
    expect(sources.locator(".row").first).to_be_focused()
    chosen = sources.locator(".row").first.inner_text()
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text(f"Channel is {chosen}")
    wait_until_drawn(page)
    expect(sources.locator(".row").first).to_be_focused()
    page.get_by_role("button", name="Remove the filter").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(0)
    expect(page.get_by_role("button", name="+ Filter")).to_be_focused()


def test_a_filtered_box_is_saved_as_csv(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"{WEEK}&f=is,country,US")
    with page.expect_download() as download:
        page.locator('[data-box="sources"]').get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == f"sources_source_{SITE}_{DAYS[7]}_{DAYS[1]}.csv"
    rows = pl.read_csv(download.value.path())
    assert rows.columns == ["source", "visitors", "visits"]
    of_us = last_days(home).filter(country="US")
    expected = of_us.group_by("source").agg(pl.col("session_id").n_unique().alias("visits"))
    assert dict(rows.select("source", "visits").iter_rows()) == dict(expected.iter_rows())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_everything_is_shown(page: Page, server: str, home: Home, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
    open_dashboard(page, server, home)
    expect(page.locator("#retention")).to_be_visible()
    page.locator("#now").click()
    page.get_by_text("The line for your pages").click()
    assert violations(page) == []
    choose_row(page, "places", "Germany")
    choose_row(page, "pages", "/pricing")
    page.set_viewport_size({"width": 360, "height": 740})
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_funnels_and_who_comes_back_are_shown_where_they_are_known(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home)
    funnel = page.locator("#funnels tbody tr")
    expect(funnel).to_have_count(2)
    expect(funnel.first).to_contain_text("Visit")
    expect(funnel.nth(1)).to_contain_text("40%")
    expect(page.locator("#retention tbody tr td")).to_have_text(["8", "50%", "25%"])
    choose_row(page, "places", "Germany")
    expect(page.locator("#funnels")).to_be_hidden()
