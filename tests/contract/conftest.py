"""The broker, topics and worker processes of the landing tests."""

from tests.landing.conftest import landing_kafka, site

__all__ = ["landing_kafka", "site"]
