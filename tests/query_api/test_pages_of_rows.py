"""Paging, as laws: the pages put together are the rows in order, whatever the order, the limit and the nulls."""

import base64
import json
from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lake.catalogue import CatalogueColumn
from query_api import cursor
from query_api.errors import ApiError
from query_api.report_query import ReportQuery, page_of, shape_of

SCHEMA = {"site": pl.String(), "date": pl.Date(), "page": pl.String(), "views": pl.Int64(), "share": pl.Float64()}
COLUMNS = [CatalogueColumn(name, str(dtype), name, "", name == "views") for name, dtype in SCHEMA.items()]
KEY = ("site", "date", "page")
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 5)

days = st.dates(FIRST, LAST)
counts = st.none() | st.integers(0, 3)
rows = st.dictionaries(
    st.tuples(st.sampled_from(["a.example", "b.example"]), days, st.none() | st.sampled_from(["", "/", "/é", "/z"])),
    st.tuples(counts, st.none() | st.sampled_from([0.0, 0.5, 1.0])),
    max_size=40,
).map(lambda found: pl.DataFrame([(*key, *values) for key, values in found.items()], schema=SCHEMA, orient="row"))
orders = st.none() | st.sampled_from(["views", "-views", "share", "-share", "page", "-page", "-date", "site"])


@given(rows=rows, order=orders, limit=st.integers(1, 7), per=st.sampled_from(["day", "range"]))
def test_the_pages_together_are_all_rows_in_order(rows: pl.DataFrame, order: str | None, limit: int, per: str) -> None:
    if per == "range" and order is not None and order.removeprefix("-") in {"date", "share"}:
        order = None
    query = ReportQuery("a.example", FIRST, LAST, "day" if per == "day" else "range", order, limit)
    shape = shape_of(COLUMNS, KEY, query.per)
    sorted_by = shape.sorted_by(order)
    whole = page_of(rows.lazy(), replace(query, limit=1_000), shape, None).collect()
    pages = []
    after = None
    while True:
        page = page_of(rows.lazy(), query, shape, after).collect()
        pages.append(page.head(limit))
        if page.height <= limit:
            break
        text = cursor.encode(sorted_by, page.row(limit - 1, named=True))
        after = cursor.decode(text, sorted_by, SCHEMA)
    assert_frame_equal(pl.concat(pages), whole)
    assert whole.height == rows.filter(pl.col("site") == "a.example").select(shape.key).unique().height


@given(rows=rows)
def test_over_a_range_counts_are_the_sums_of_the_days(rows: pl.DataFrame) -> None:
    query = ReportQuery("a.example", FIRST, LAST, "range", None, 1_000)
    summed = page_of(rows.lazy(), query, shape_of(COLUMNS, KEY, "range"), None).collect()
    expected: dict[str | None, int] = {}
    for row in rows.filter(pl.col("site") == "a.example").iter_rows(named=True):
        expected[row["page"]] = expected.get(row["page"], 0) + (row["views"] or 0)
    assert {row["page"]: row["views"] for row in summed.iter_rows(named=True)} == expected
    assert summed.columns == ["site", "page", "views"]


def test_a_sum_of_daily_visitors_says_what_it_is() -> None:
    visitors = CatalogueColumn("visitors", "Int64", "distinct visitors of the day", "", additive=False)
    share = CatalogueColumn("share", "Float64", "a share", "", additive=False)
    shape = shape_of([*COLUMNS[:3], visitors, share], KEY, "range")
    assert [column.name for column in shape.columns] == ["site", "page", "visitors"]
    assert shape.columns[-1].meaning == "distinct visitors of the day; the sum of the daily values"


@given(st.text() | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_no_text_passes_for_a_cursor(text: str) -> None:
    sorted_by = [("views", True), ("site", False)]
    with pytest.raises(ApiError) as raised:
        cursor.decode(text, sorted_by, SCHEMA)
    assert (raised.value.status, raised.value.field) == (400, "next")


@pytest.mark.parametrize(
    "values",
    [["1", "a"], [1, 2], [True, "a"], [1.5, "a"], [10**30, "a"], [1], [1, "a", "b"], [[1], "a"], [{"a": 1}, "a"]],
)
def test_a_forged_cursor_with_values_of_other_types_is_refused(values: list[object]) -> None:
    sorted_by = [("views", True), ("site", False)]
    forged = json.dumps([[list(term) for term in sorted_by], values])
    text = base64.urlsafe_b64encode(forged.encode()).decode()
    with pytest.raises(ApiError):
        cursor.decode(text, sorted_by, SCHEMA)


def test_a_cursor_of_another_order_is_refused() -> None:
    by_views, by_share = [("views", True), ("site", False)], [("share", True), ("site", False)]
    text = cursor.encode(by_views, {"views": 1, "site": "a.example"})
    assert cursor.decode(text, by_views, SCHEMA) == (1, "a.example")
    with pytest.raises(ApiError):
        cursor.decode(text, by_share, SCHEMA)
