"""The dashboard in a real browser: its numbers are the tables', and it asks nobody but this server."""

import gzip
import re
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pipelines.reports.pages import PAGES
from pipelines.reports.traffic import TRAFFIC
from query_api.pages import DASHBOARD
from tests.query_api.conftest import DAYS, EMPTY, OTHER, SITE, Home, build_home, running_server

pytestmark = pytest.mark.browser


def open_dashboard(page: Page, server: str, home: Home, query: str) -> None:
    page.goto(f"{server}/?token={home.token}&{query}")
    expect(page.locator("#numbers")).to_have_attribute("aria-busy", "false")


def tile(page: Page, metric: str) -> str:
    return page.locator(f'[data-metric="{metric}"] .tile-value').inner_text()


def rows_of(page: Page, box: str) -> list[list[str]]:
    expect(page.locator(f"#{box}-panel")).to_have_attribute("aria-busy", "false")
    rows = page.locator(f'[data-box="{box}"] tbody tr')
    return [row.locator("th, td").all_inner_texts() for row in rows.all()]


def of_last_days(home: Home, report: str, days: int) -> pl.DataFrame:
    return home.frames[report].filter(pl.col("site") == SITE, pl.col("date") >= DAYS[-days])


def test_the_numbers_are_those_of_the_tables(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}&from={DAYS[-7]}&to={DAYS[-1]}")
    traffic = of_last_days(home, "traffic", 7).sum()
    visits, pageviews = traffic["visits"][0], traffic["pageviews"][0]
    assert tile(page, "visitors") == f"{traffic['visitors'][0]:,}"
    assert tile(page, "visits") == f"{visits:,}"
    assert tile(page, "pageviews") == f"{pageviews:,}"
    assert tile(page, "views_per_visit") == f"{pageviews / visits:.1f}"
    assert tile(page, "bounce_rate") == f"{100 * traffic['bounces'][0] / visits:.0f}%"
    assert tile(page, "visit_duration") == "1m 30s"
    assert f"Left out as bots: {traffic['bot_visitors'][0]} visitors" in page.locator("#footnote").inner_text()

    pages = of_last_days(home, "pages", 7).group_by("path").agg(pl.col("visitors", "pageviews").sum())
    top = pages.sort("visitors", "path", descending=[True, False]).head(10)
    assert rows_of(page, "pages") == [[path, f"{seen:,}", f"{views:,}"] for path, seen, views in top.rows()]
    assert rows_of(page, "sources") == [
        ["Google", "350", "385"],
        ["Direct / None", "210", "231"],
    ]
    assert rows_of(page, "actions")[:2] == [
        ["visitor · pageview · page", "2,310", "700"],
        ["user · view · article", "280", "140"],
    ]


def test_the_change_is_against_the_days_before(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}&from={DAYS[-7]}&to={DAYS[-1]}")
    now = sum(of_last_days(home, "traffic", 7)["visitors"])
    before = sum(of_last_days(home, "traffic", 14)["visitors"]) - now
    change = page.locator('[data-metric="visitors"] .tile-change')
    assert change.inner_text().split()[-1] == f"{100 * now / before - 100:.0f}%"
    assert (change.get_attribute("title") or "").startswith(f"{before:,} in ")


def test_the_chart_draws_each_day_and_says_it_to_the_keyboard(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}&from={DAYS[-7]}&to={DAYS[-2]}")
    page.locator("#chart").focus()
    said = []
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        said.append(page.locator("#chart-said").inner_text())
    expected = home.frames["traffic"].filter(pl.col("site") == SITE, pl.col("date").is_between(DAYS[-7], DAYS[-2]))
    assert [re.search(r"\d{4}, (\d+) visitors", words).group(1) for words in said] == [  # type: ignore[union-attr]
        str(visitors) for visitors in expected.sort("date")["visitors"]
    ]


def test_show_more_adds_rows(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}")
    page.locator('[data-box="pages"] .more').click()
    expect(page.locator('[data-box="pages"] tbody tr')).to_have_count(15)
    expect(page.locator('[data-box="pages"] .more')).to_be_hidden()


def test_the_address_holds_what_is_shown(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}")
    assert home.token not in page.url
    page.get_by_text("7 d", exact=True).click()
    page.locator('[data-metric="pageviews"]').click()
    expect(page).to_have_url(f"{server}/?site={SITE}&range=7d&metric=pageviews")
    page.reload()
    expect(page.locator('[data-metric="pageviews"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator('#range [value="7d"]')).to_be_checked()
    expect(page.locator("#numbers")).to_have_attribute("aria-busy", "false")
    page.go_back()
    expect(page.locator('[data-metric="visitors"]')).to_have_attribute("aria-pressed", "true")


def test_a_range_without_data_leads_to_where_there_is_some(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}")
    page.locator("#site").select_option(OTHER)
    notice = page.locator("#notice")
    expect(notice).to_contain_text(f"{OTHER} has data from 2015-05-17 to 2015-05-20")
    notice.get_by_role("button").click()
    expect(notice).to_be_hidden()
    expect(page.locator('[data-metric="visitors"] .tile-value')).to_have_text("1,206")
    expect(page).to_have_url(f"{server}/?site={OTHER}&from=2015-05-17&to=2015-05-20")


def test_a_new_site_gets_the_snippet_and_can_copy_it(
    page: Page, context: BrowserContext, server: str, home: Home
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_dashboard(page, server, home, f"site={EMPTY}")
    expect(page.locator("#first-run")).to_contain_text(f"Waiting for the first event of {EMPTY}")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f'<script defer data-site="{EMPTY}" src="http://127.0.0.1:8080/logektor.js"></script>'


def test_the_files_of_a_box_hold_its_rows(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}&from={DAYS[-7]}&to={DAYS[-1]}")
    with page.expect_download() as download:
        page.locator('[data-box="sources"]').get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == f"sources_{SITE}_{DAYS[-7]}_{DAYS[-1]}.csv"
    rows = pl.read_csv(download.value.path(), try_parse_dates=True)
    assert rows["visits"].sum() == of_last_days(home, "sources", 7)["visits"].sum()


def test_the_keyboard_reaches_the_range_picker(page: Page, server: str, home: Home) -> None:
    open_dashboard(page, server, home, f"site={SITE}")
    for _ in range(9):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "range":
            break
    assert page.evaluate("document.activeElement.value") == "30d"
    page.keyboard.press("ArrowLeft")
    expect(page.locator('#range [value="28d"]')).to_be_checked()
    expect(page).to_have_url(f"{server}/?site={SITE}&range=28d")
    assert page.evaluate("document.activeElement.value") == "28d"


def test_a_phone_never_scrolls_sideways_where_dates_are_chosen(page: Page, server: str, home: Home) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    open_dashboard(page, server, home, f"site={SITE}&from={DAYS[0]}&to={DAYS[-1]}")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_names_from_visitors_are_text_and_never_markup(page: Page, tmp_path: Path) -> None:
    home = build_home(tmp_path / "home", days=1)
    evil = '<img src=x onerror="console.error(1)"><b>bold</b>' + "x" * 180
    spec_rows = home.frames["pages"].filter(pl.col("date") == DAYS[-1]).with_columns(path=pl.lit(evil)).head(1)
    home.replace(PAGES.spec, DAYS[-1], spec_rows, 2)
    with running_server(home.path) as server:
        page.set_viewport_size({"width": 360, "height": 740})
        open_dashboard(page, server, home, f"site={SITE}")
        assert rows_of(page, "pages")[0][0] == evil
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_new_numbers_appear_by_themselves_and_a_stopped_server_is_said(browser: Browser, tmp_path: Path) -> None:
    home = build_home(tmp_path / "home", days=1)
    context = browser.new_context()
    page = context.new_page()
    page.clock.install()
    with running_server(home.path) as server:
        open_dashboard(page, server, home, f"site={SITE}")
        row = home.frames["traffic"].filter(pl.col("site") == SITE).with_columns(visitors=pl.lit(4_321, pl.Int64))
        home.replace(TRAFFIC.spec, DAYS[-1], row, 2)
        page.clock.fast_forward(31_000)
        expect(page.locator('[data-metric="visitors"] .tile-value')).to_have_text("4,321")
    page.clock.fast_forward(31_000)
    expect(page.locator("#trouble")).to_contain_text("The query API does not answer.")
    expect(page.locator('[data-metric="visitors"] .tile-value')).to_have_text("4,321")
    context.close()


def test_without_the_cookie_the_page_says_how_to_get_in(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server)
    expect(page.get_by_role("heading")).to_have_text("Open the dashboard with its link")
    expect(page.locator("main")).to_contain_text("logektor status")
    context.close()


def test_the_whole_dashboard_is_small() -> None:
    files = [path for path in DASHBOARD.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    assert len(files) > 20
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= 150_000


def test_the_page_asks_for_all_its_modules_at_once() -> None:
    preloaded = set(re.findall(r'modulepreload" href="/dashboard/([^"]+)"', (DASHBOARD / "index.html").read_text()))
    needed, found = {"main.js"}, {"main.js"}
    while found:
        texts = [(DASHBOARD / name).read_text() for name in found]
        found = {name for text in texts for name in re.findall(r'^import .*"\./([^"]+)";', text, re.M)} - needed
        needed |= found
    assert preloaded == needed - {"main.js"}
