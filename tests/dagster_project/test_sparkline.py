"""Bars of text."""

from dagster_project.sparkline import sparkline


def test_the_largest_number_has_the_tallest_bar_and_nothing_has_none() -> None:
    assert sparkline([0, 1, 4, 8]) == "·▁▄█"
    assert sparkline([0, 1, 1_000_000]) == "·▁█"
    assert sparkline([0, 0]) == "··"
    assert sparkline([]) == ""
