"""The words of a stats query: what can be measured, and by what it can be parted and filtered.

Names, shapes and meanings are those of Plausible's Stats API v2, where it has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Operator = Literal["is", "is_not", "contains", "contains_not"]
OPERATORS: tuple[Operator, ...] = ("is", "is_not", "contains", "contains_not")


@dataclass(frozen=True)
class Metric:
    """Something that is counted. `needs` are dimensions of which one must be asked for or filtered by."""

    meaning: str
    unit: str = ""
    needs: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = {
    "visitors": Metric("distinct visitors"),
    "visits": Metric("visits that have an event of the group"),
    "pageviews": Metric("page views"),
    "views_per_visit": Metric("page views of those visits for each of them"),
    "bounce_rate": Metric("those visits that were one page view and nothing else", "percent"),
    "visit_duration": Metric("length of those visits, the average", "seconds"),
    "events": Metric("events, page views among them; not what the script says on leaving a page"),
    "percentage": Metric("visitors of the group among all visitors of the query without dimensions", "percent"),
    "conversion_rate": Metric(
        "visitors of the group among those of the query without goals", "percent", needs=("event:goal",)
    ),
    "scroll_depth": Metric(
        "how far a page was scrolled: for each visitor the deepest, the average of them",
        "percent",
        needs=("event:page",),
    ),
    "time_on_page": Metric("how long a visitor looked at a page, the average", "seconds", needs=("event:page",)),
}

TIME_UNITS = ("hour", "day", "week", "month")

EVENT_DIMENSIONS: Mapping[str, str] = {
    "event:goal": "the goal that was reached",
    "event:name": "the action, such as pageview",
    "event:page": "the path of the page",
    "event:hostname": "the host of the page",
}
PROPERTY_NAMES = "event:props"
"""Parts by the names of properties: an event counts for each that it has. Plausible has no word for it."""

PROPERTY = "event:props:"
"""Before the name of a property."""

VISIT_DIMENSIONS: Mapping[str, str] = {
    "visit:source": "where the visit came from",
    "visit:channel": "the kind of source",
    "visit:referrer": "the host that referred",
    "visit:utm_source": "a campaign's source",
    "visit:utm_medium": "a campaign's medium",
    "visit:utm_campaign": "a campaign's name",
    "visit:utm_content": "a campaign's content",
    "visit:utm_term": "a campaign's term",
    "visit:entry_page": "the visit's first page",
    "visit:exit_page": "the visit's last page",
    "visit:country": "ISO 3166-1 alpha-2 code of the country",
    "visit:device": "Desktop, Mobile or Tablet",
    "visit:browser": "family of the browser",
    "visit:os": "family of the operating system",
}
TIME_DIMENSIONS: Mapping[str, str] = {
    "time": "hours for a day, days for up to 91, else months",
    **{f"time:{unit}": f"the {unit} in the site's time zone" for unit in TIME_UNITS},
}


def is_dimension(name: str) -> bool:
    """Whether a query may be parted by it."""
    return is_filterable(name) or name in TIME_DIMENSIONS or name == PROPERTY_NAMES


def is_filterable(name: str) -> bool:
    """Whether a query may be filtered by it."""
    return name in EVENT_DIMENSIONS or name in VISIT_DIMENSIONS or is_property(name)


def is_property(name: str) -> bool:
    """Whether it names a property of events. A backslash or a sign that can't be printed is in no name."""
    property_name = name.removeprefix(PROPERTY)
    return property_name != name and property_name.isprintable() and bool(property_name) and "\\" not in property_name
