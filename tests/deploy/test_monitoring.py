"""The dashboard and the alerts speak of the metrics that the processes have, and of all of them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, Metric

from event_stream.kafka_cluster import KafkaCluster
from ingest_api import metrics as collector
from pipelines.landing import metrics as landing

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARD = json.loads((DEPLOY / "grafana" / "logektor.json").read_text(encoding="utf-8"))
ALERTS = (PROMETHEUS / "alerts.yml").read_text(encoding="utf-8")
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}

PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="needs promtool: Debian's `prometheus`")


def families() -> Iterator[Metric]:
    """What both processes register, and the lag, which the worker registers with its port."""
    assert collector.EVENTS_ACCEPTED
    yield from (family for family in REGISTRY.collect() if family.name.startswith("logektor_"))
    yield from landing.Lag(KafkaCluster(""), (), dict).describe()


def named(text: str) -> set[str]:
    return set(re.findall(r"\blogektor_\w+", text))


def test_each_metric_of_a_panel_or_an_alert_is_one() -> None:
    exposed = {family.name + suffix for family in families() for suffix in _SUFFIXES[family.type]}
    assert named(" ".join(EXPRESSIONS)) | named(ALERTS) <= exposed


def test_each_metric_is_in_a_panel() -> None:
    shown = named(" ".join(EXPRESSIONS))
    assert not [family.name for family in families() if not any(name.startswith(family.name) for name in shown)]


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    cells = [
        (left, top)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for left in range(place["x"], place["x"] + place["w"])
        for top in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(left < 24 for left, _ in cells)
    assert all(panel["description"] for panel in PANELS)


def test_alerts_are_on_jobs_that_are_scraped() -> None:
    scraped = set(re.findall(r"job_name: (\S+)", (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")))
    assert set(re.findall(r'job="([^"]+)"', ALERTS)) == scraped


@needs_promtool
def test_prometheus_reads_the_config_and_the_alerts_fire_when_they_should() -> None:
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts.test.yml"]):
        said = subprocess.run([PROMTOOL, *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stdout + said.stderr


@needs_promtool
def test_prometheus_reads_every_expression_of_a_panel(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel_{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(EXPRESSIONS)
    ]
    # JSON is YAML.
    (tmp_path / "panels.json").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    command = [PROMTOOL, "check", "rules", str(tmp_path / "panels.json")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
