"""What axe-core finds wrong with a page."""

from typing import Any

from playwright.sync_api import Page

from tests import npm

VERSION = "4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[tuple[str, str]]:
    """Each broken rule, and the elements that break it."""
    page.evaluate((npm.installed("axe-core", VERSION) / "axe-core" / "axe.min.js").read_text())
    found: dict[str, Any] = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
    assert found["passes"]
    return [(each["id"], str([node["html"] for node in each["nodes"]])) for each in found["violations"]]
