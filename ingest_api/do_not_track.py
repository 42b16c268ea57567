"""Do Not Track and Global Privacy Control: what becomes of who asks is the site's `do_not_track` policy.

anonymous   counted, without what tells visitors apart or is derived from them: ids, User-Agent, address and country
drop        answered 202, not stored, and counted in logektor_events_dropped
ignore      as if nobody had asked
"""


def asks_not_to_be_tracked(dnt: str | None, sec_gpc: str | None) -> bool:
    """By the headers DNT and Sec-GPC: both say it with 1."""
    return dnt == "1" or sec_gpc == "1"
