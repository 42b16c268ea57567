"""Writes the parts of docs/ that follow from the code: `uv run python .ci/docs.py`.

Each part stands between `<!-- name:start -->` and `<!-- name:end -->`; the words around it are a person's.
tests/test_docs.py fails where a part is not what the code says.
"""

import dataclasses
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec
from pydantic_settings import BaseSettings

from dagster_project.settings import DagsterSettings
from event_stream.event import Event
from event_stream.kafka_settings import KafkaSettings, TopicSettings
from ingest_api.kept_address import CLICK_IDS
from ingest_api.settings import CollectorSettings
from ingest_api.tracked_event import TrackedEvent
from lake import raw_schema
from lake.removals import REMOVALS
from lake.replays import REPLAYS
from lake.table_metadata import is_report
from lake.table_spec import TableSpec
from logektor.demo_traffic import DemoSettings
from logektor.doctor.checks import CHECKS
from logektor.settings import StackSettings
from pipelines.landing.settings import LandingSettings
from pipelines.reports.all_reports import REPORTS
from pipelines.reports.clean_events import EVENTS
from query_api.settings import QuerySettings
from sites import Funnel, Goal, Site

DOCS = Path(__file__).parent.parent / "docs"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    cells = [list(headings), *(list(row) for row in rows)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def fields(struct: type[msgspec.Struct]) -> list[tuple[msgspec.structs.FieldInfo, str, str]]:
    """Each field of a struct with its bounds and its description, as its Meta says."""
    described = []
    for field in msgspec.structs.fields(struct):
        metas = list(_metas(field.type))
        says = next((meta.description for meta in metas if meta.description), "")
        described.append((field, ", ".join(filter(None, map(_bounds, metas))), says))
    return described


def _metas(annotation: object) -> Iterable[msgspec.Meta]:
    yield from (each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, msgspec.Meta))
    if hasattr(annotation, "__origin__") and hasattr(annotation, "__metadata__"):
        yield from _metas(annotation.__origin__)
    for argument in typing.get_args(annotation):
        if not isinstance(argument, msgspec.Meta):
            yield from _metas(argument)


def _bounds(meta: msgspec.Meta) -> str:
    if meta.max_length is not None:
        least = "" if meta.min_length is None else f"{meta.min_length}–"
        return f"{least}{meta.max_length:,} characters" if least else f"up to {meta.max_length:,} characters"
    if meta.le is not None and meta.le != meta.ge and meta.le < 10**9:
        return f"{meta.ge}–{meta.le:,}"
    return ""


def tracked_event() -> str:
    """What clients send."""
    rows = [
        (f"`{field.encode_name}`", "yes" if field.required else "", bounds, says)
        for field, bounds, says in fields(TrackedEvent)
    ]
    return table(("JSON field", "needed", "bounds", "meaning"), rows)


def event() -> str:
    """What travels on the topic and stands in the raw table."""
    types = {field.name: str(field.type) for field in raw_schema.EVENT_COLUMNS}
    rows = [
        (f"`{field.encode_name}`", f"`{field.name}`", types[field.name], bounds, says)
        for field, bounds, says in fields(Event)
    ]
    return table(("record field", "lake column", "Arrow type", "bounds", "meaning"), rows)


def settings() -> str:
    """Every setting of every process."""
    processes: Mapping[str, type[BaseSettings]] = {
        "`logektor` (the command line and `up`)": StackSettings,
        "Collector: `python -m ingest_api`": CollectorSettings,
        "Landing worker: `python -m pipelines.landing`": LandingSettings,
        "Dagster: `dagster_project`": DagsterSettings,
        "Query API: `python -m query_api`": QuerySettings,
        "How Kafka is reached: collector, landing worker and `logektor`": KafkaSettings,
        "How topics are created: collector and `logektor`": TopicSettings,
        "Demo traffic: `python -m logektor.demo_traffic`": DemoSettings,
    }
    return "\n\n".join(f"## {process}\n\n{_settings_table(owner)}" for process, owner in processes.items())


def _settings_table(owner: type[BaseSettings]) -> str:
    shared = {name for base in owner.__bases__ if base is not BaseSettings for name in base.model_fields}
    rows = []
    for name, field in owner.model_fields.items():
        if name in shared:
            continue
        default = "–" if field.default is None else f"`{field.default}`"
        rows.append((f"`LOGEKTOR_{name.upper()}`", default, field.description or ""))
    return table(("variable", "default", "meaning"), rows)


def landed() -> str:
    """The raw table's columns."""
    rows = [(f"`{field.name}`", str(field.type)) for field in raw_schema.LANDED]
    return table(("column", "Arrow type"), rows)


def tables() -> str:
    """The tables that are built, with each column."""
    return "\n\n".join(
        _table_section(spec) for spec in (REMOVALS, REPLAYS, EVENTS, *(report.spec for report in REPORTS))
    )


def _table_section(spec: TableSpec) -> str:
    rows = [
        (f"`{column.name}`", str(column.dtype), column.unit, "yes" if column.additive else "", column.meaning)
        for column in spec.columns
    ]
    return (
        f"## {spec.name}\n\n{spec.description}\n\nOne row per ({', '.join(spec.key)}); "
        f"partitioned by `{spec.partition_by}`.\n\n"
        + table(("column", "type", "unit", "adds up", "meaning"), rows)
        + _reads(spec)
    )


def _reads(spec: TableSpec) -> str:
    """How to read a table with four tools; tests/reports/test_reading.py runs each line."""
    if spec in (REMOVALS, REPLAYS):
        return ""
    delta, parquet = f"var/lake/{spec.name}", f"var/reports_parquet/{spec.name}"
    if is_report(spec):
        duckdb = f"""duckdb.sql("FROM '{parquet}/*.parquet'")"""
        pandas = f'pd.read_parquet("{parquet}")'
    else:
        duckdb = f'duckdb.from_arrow(DeltaTable("{delta}").to_pyarrow_dataset())'
        pandas = f'DeltaTable("{delta}").to_pandas()'
    reads = {
        "Polars": f'pl.scan_delta("{delta}").collect()',
        "DuckDB": duckdb,
        "pandas": pandas,
        "Spark": f'spark.read.format("delta").load("{delta}")',
    }
    return "\n\n" + table(("with", "read"), [(tool, f"`{read}`") for tool, read in reads.items()])


_TOML_TYPES: Mapping[object, str] = {
    str: "text",
    str | None: "text",
    int: "whole number",
    int | None: "whole number",
    tuple[str, ...]: "list of texts",
    tuple[tuple[str, str], ...]: "table of texts",
    tuple[Goal, ...]: "tables",
    tuple[Funnel, ...]: "tables",
}


def declared(owner: type) -> str:
    """The keys of a table of sites.toml."""
    types = typing.get_type_hints(owner)
    rows = []
    for field in dataclasses.fields(owner):
        key = field.metadata.get("key", field.name)
        rows.append((f"`{key}`", _toml_type(field, types[field.name]), _toml_default(field), field.metadata["says"]))
    return table(("key", "type", "default", "meaning"), rows)


def _toml_type(field: dataclasses.Field[typing.Any], annotation: object) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return "text"
    return str(field.metadata.get("type", _TOML_TYPES[annotation]))


def _toml_default(field: dataclasses.Field[typing.Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "needed"
    if field.default in (None, ()):
        return "–"
    return f'`"{field.default}"`' if isinstance(field.default, str) else f"`{field.default}`"


def click_ids() -> str:
    """The parameters of advertising networks that are kept of an address."""
    return ", ".join(f"`{name}`" for name in sorted(CLICK_IDS))


def checks() -> str:
    """What `logektor doctor` looks at, and what to do."""
    return table(("check", "looks at", "what to do"), [(f"`{each.name}`", each.looks_at, each.fix) for each in CHECKS])


PARTS: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "doctor.md": {"checks": checks},
    "events.md": {"tracked-event": tracked_event, "event": event},
    "settings.md": {"settings": settings},
    "sites.md": {
        "site": partial(declared, Site),
        "click-ids": click_ids,
        "goal": partial(declared, Goal),
        "funnel": partial(declared, Funnel),
    },
    "tables.md": {"landed": landed, "tables": tables},
}


def rendered(page: str) -> str:
    """A page with its parts as the code says now."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, part in PARTS[page].items():
        between = re.compile(rf"(<!-- {name}:start -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
        text, count = between.subn(lambda found, part=part: f"{found[1]}\n{part()}\n\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"docs/{page} needs <!-- {name}:start --> and <!-- {name}:end --> once.")
    return text


if __name__ == "__main__":
    for page in PARTS:
        (DOCS / page).write_text(rendered(page), encoding="utf-8")
