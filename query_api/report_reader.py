"""Reads a page of a report from one version of its table. Blocking: it runs in query pools."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from threading import Lock

import polars as pl

from lake.catalogue import Catalogue, CatalogueEntry, OpenTable
from lake.errors import LakeAway, TableMissing
from query_api import cursor
from query_api.errors import ApiError
from query_api.formats import Format, as_csv, as_json, as_parquet
from query_api.report_query import ReportQuery, Shape, columns_document, page_of, require_texts, shape_of

_CACHE_BYTES = 64 * 2**20

MADE_BY = f"{version('logektor')} {pl.__version__}"
"""A newer release may write the same rows as other bytes."""


@dataclass(frozen=True)
class Page:
    """One answer. `etag` is quoted; `following` is the cursor of the page after, if there is one."""

    etag: str
    body: bytes
    following: str | None


@dataclass(frozen=True)
class Unchanged:
    """The reader holds this answer already."""

    etag: str


@dataclass(frozen=True)
class Unread:
    """An answer that has to be computed: that takes long, while to know it is nearly free."""

    compute: Callable[[], Page]


class ReportReader:
    """Answers questions to the reports of a lake; the latest answers are kept, so pieces of one cost one query."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._pages = PageCache(_CACHE_BYTES)

    def entries(self) -> list[CatalogueEntry]:
        """What reports there are. Raises LakeError."""
        return self._catalogue.entries()

    def find(
        self, name: str, form: Format, query: ReportQuery, held: Callable[[str], bool]
    ) -> Page | Unchanged | Unread:
        """One page, all of it from one table version. It and what it computes raise ApiError and LakeError."""
        try:
            report = self._catalogue.open(name)
        except TableMissing:
            message = f"There is no report {name!r}, or it was not built yet; GET /api/reports lists them."
            raise ApiError(404, "no_such_report", message) from None
        etag = _etag(report.entry, form, query)
        if held(etag):
            return Unchanged(etag)
        return self._pages.get(etag) or Unread(lambda: self._pages.put(_collect(report, form, query, etag)))


def _collect(report: OpenTable, form: Format, query: ReportQuery, etag: str) -> Page:
    require_texts(query, report.entry.columns)
    shape = shape_of(report.entry.columns, report.entry.key, query.per)
    sorted_by = shape.sorted_by(query.order)
    after = None if query.after is None else cursor.decode(query.after, sorted_by, report.scan.collect_schema())
    try:
        rows = page_of(report.scan, query, shape, after).collect(engine="streaming")
    except OSError as error:
        raise LakeAway(f"{report.entry.name}: {error}") from error
    following = None
    if rows.height > query.limit:
        rows = rows.head(query.limit)
        following = cursor.encode(sorted_by, rows.row(-1, named=True))
    return Page(etag, _body(report.entry, form, query, shape, rows, following), following)


def _body(
    entry: CatalogueEntry, form: Format, query: ReportQuery, shape: Shape, rows: pl.DataFrame, following: str | None
) -> bytes:
    if form == "csv":
        return as_csv(rows)
    if form == "parquet":
        return as_parquet(rows)
    about = {
        "report": entry.name,
        "site": query.site,
        "from": query.first.isoformat(),
        "to": query.last.isoformat(),
        "columns": columns_document(shape.columns),
    }
    return as_json(about, rows, following)


class PageCache:
    """The latest pages by their ETag, up to so many bytes; a larger page is not kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pages: OrderedDict[str, Page] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, etag: str) -> Page | None:
        """The page, now the latest used."""
        with self._lock:
            if etag in self._pages:
                self._pages.move_to_end(etag)
            return self._pages.get(etag)

    def put(self, page: Page) -> Page:
        """The page, which is kept; the longest unused are let go."""
        if len(page.body) > self._max_bytes:
            return page
        with self._lock:
            if page.etag not in self._pages:
                self._pages[page.etag] = page
                self._bytes += len(page.body)
            while self._bytes > self._max_bytes:
                self._bytes -= len(self._pages.popitem(last=False)[1].body)
        return page


def _etag(entry: CatalogueEntry, form: Format, query: ReportQuery) -> str:
    """The answer's name: the same question to the same table version has the same bytes."""
    table = f"{entry.name} {entry.version} {entry.refreshed_at.isoformat()}"
    asked = f"{MADE_BY} {table} {form} {asdict(query)}"
    return f'"{hashlib.sha256(asked.encode()).hexdigest()[:32]}"'
