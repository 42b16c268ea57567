"""Programs that say in their User-Agent what they are.

Narrower than the reports' own rule, which also knows bots by name: what this drops is never stored and can't be mended.
"""

import re

# A visitor may own a phone of the maker Cubot.
_SAYS_SO = re.compile(r"(?<!cu)bot\b|crawl|spider|slurp|\+https?://", re.IGNORECASE)


def says_it_is_a_bot(user_agent: str) -> bool:
    """By a word such as bot, crawler or spider, or by the address that crawlers give (`+https://…`)."""
    return _SAYS_SO.search(user_agent) is not None
