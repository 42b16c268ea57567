"""Topic and raw tables: written by collector and landing worker, shown here so that lineage starts with them."""

import dagster as dg

from dagster_project.table_asset import OWNERS
from event_stream.topics import EVENTS, REJECTED

TOPICS = [
    dg.AssetSpec(
        ["kafka", EVENTS.name],
        group_name="collected",
        kinds={"kafka", "json"},
        owners=OWNERS,
        tags={"layer": "collected", "grain": "record"},
        description="Every accepted event, one per record, as the collector acknowledged it.",
    ),
    dg.AssetSpec(
        ["kafka", REJECTED.name],
        group_name="collected",
        kinds={"kafka", "json"},
        owners=OWNERS,
        tags={"layer": "collected", "grain": "record"},
        description="Every refused event, with the reason.",
    ),
]

RAW = [
    dg.AssetSpec(
        "raw_events",
        deps=[["kafka", EVENTS.name]],
        group_name="landed",
        kinds={"deltalake", "table"},
        owners=OWNERS,
        tags={"layer": "landed", "grain": "record"},
        description=(
            "Each accepted event exactly as it came, once, with its place in the stream. "
            "The landing worker appends to it every second; it is the kind `event` of the Delta table `landed`."
        ),
    ),
    dg.AssetSpec(
        "dead_letters",
        deps=[["kafka", EVENTS.name], ["kafka", REJECTED.name]],
        group_name="landed",
        kinds={"deltalake", "table"},
        owners=OWNERS,
        tags={"layer": "landed", "grain": "record"},
        description=(
            "Each record that is no event, with its bytes, its place and the reason. Nothing is dropped in silence: "
            "look here for events you miss. It is the kind `dead_letter` of the Delta table `landed`."
        ),
    ),
]


@dg.definitions
def raw() -> dg.Definitions:
    """The external assets."""
    return dg.Definitions(assets=[*TOPICS, *RAW])
