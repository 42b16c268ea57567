"""An access log reaches Kafka through the real collector, its unreadable line with the rejected ones."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from event_stream.codec import decode_event
from event_stream.rejection import decode_rejection
from event_stream.topics import EVENTS, REJECTED
from logektor.log_import import RejectedLine, import_log
from tests.conftest import RunningKafka
from tests.ingest_api.running_collector import running_collector

pytestmark = pytest.mark.kafka


def test_each_line_is_an_event_or_a_rejection(kafka: RunningKafka, tmp_path: Path) -> None:
    domain = f"{uuid4()}.example"
    line = (
        '203.0.113.9 - - [17/May/2015:10:05:03 +0200] "GET /a.pdf HTTP/1.1" 200 5 "http://b.example/?q" "Mozilla/5.0"'
    )
    log = tmp_path / "access.log"
    log.write_text(f"{line}\n{line[:-1]}\n{line}\n", encoding="utf-8")
    with running_collector(tmp_path, domain, kafka.bootstrap_servers) as collector:
        result = import_log(log, collector.site, collector.url, tmp_path / "import", lambda done, total: None)
        values = collector.values_with(EVENTS, domain.encode(), 2)
        refused = collector.values_with(REJECTED, domain.encode(), 1)
    assert (result.lines, result.accepted, result.rejected_count) == (3, 2, 1)
    assert result.rejected == (RejectedLine(2, "not in the common or combined log format"),)

    first, second = map(decode_event, values)
    assert first.event_id != second.event_id
    assert first.visitor_id == second.visitor_id
    assert first.occurred_at == datetime(2015, 5, 17, 8, 5, 3, tzinfo=UTC).timestamp() * 1_000_000
    assert (first.action, first.subject_type, first.subject_id) == ("download", "page", "/a.pdf")
    assert (first.url, first.referrer) == (f"https://{domain}/a.pdf", "http://b.example/")
    assert (first.user_agent, first.clock_adjusted) == ("Mozilla/5.0", False)
    assert bytes(first.properties) == b'{"status":200,"method":"GET","bytes":5}'
    assert b"203.0.113.9" not in b"".join(values)

    (rejection,) = map(decode_rejection, refused)
    assert (rejection.site, rejection.body) == (domain, line[:-1].encode())
