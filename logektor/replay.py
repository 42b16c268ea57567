"""`logektor replay`: dead letters that are events by now go back to the stream.

Each batch is sent, acknowledged with acks=all, and then recorded in the table `replays`, so that it is not sent by
the next replay. Who is stopped between the two sends a batch again: at least once, therefore. As readmit makes the
same event of a dead letter each time, with the same id, the second is a duplicate, and reports count it once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from event_stream.kafka_cluster import KafkaCluster
from event_stream.kafka_topics import ensure_topics
from event_stream.kafka_writer import KafkaWriter
from event_stream.ports import EventWriter, OutgoingRecord
from event_stream.topics import Topic
from lake.dead_letters import DeadLetter, Selection, letters_to_replay
from lake.location import Lake
from lake.replays import declare_replays, record_replays
from logektor.errors import StackError
from logektor.readmission import StillInvalid, readmit
from sites import Sites

BATCH_LETTERS = 500
"""Dead letters at a time: at most 32 MB of bodies."""

_KAFKA_SECONDS = 30.0
_QUEUE_BYTES = 64 * 1024 * 1024


class ReplayStopped(StackError):
    """The stream did not take everything; what it took is recorded."""


@dataclass
class Outlook:
    """What a replay would do: `valid` would be sent; of those that stay, how many by reason, and one's detail."""

    valid: int = 0
    invalid: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)


def look_ahead(lake: Lake, sites: Sites, selection: Selection) -> Outlook:
    """Looks at each selected dead letter that was not sent yet. Sends and writes nothing. Raises LakeAway."""
    outlook = Outlook()
    for batch in _decided(lake, sites, selection):
        for _, outcome in batch:
            if isinstance(outcome, StillInvalid):
                outlook.invalid[outcome.reason] += 1
                outlook.details.setdefault(outcome.reason, outcome.detail)
            else:
                outlook.valid += 1
    return outlook


async def replay(
    lake: Lake,
    sites: Sites,
    selection: Selection,
    writer: EventWriter,
    *,
    now: Callable[[], datetime],
    progress: Callable[[int], None],
) -> int:
    """Sends what is valid now and answers how many that were; what is not stays a dead letter, and nothing is written.

    `progress` is told how many were sent. Raises ReplayStopped, LakeAway, TableConflict; going on is asking again.
    """
    declare_replays(lake)
    sent = 0
    for batch in _decided(lake, sites, selection):
        valid = [(letter, outcome) for letter, outcome in batch if isinstance(outcome, OutgoingRecord)]
        refusals = await writer.write([record for _, record in valid])
        taken = [letter.place for (letter, _), refusal in zip(valid, refusals, strict=True) if refusal is None]
        if taken:
            record_replays(lake, taken, now())
        sent += len(taken)
        progress(sent)
        for refusal in refusals:
            if refusal is not None:
                raise ReplayStopped(
                    f"Kafka did not take everything: {refusal}. {sent:,} were sent and recorded; run the same replay "
                    "again: it goes on from there."
                )
    return sent


def replay_to_kafka(
    lake: Lake,
    sites: Sites,
    selection: Selection,
    cluster: KafkaCluster,
    topics: Sequence[Topic],
    progress: Callable[[int], None],
) -> int:
    """`replay` to a Kafka cluster, which has these topics then. Raises what it raises, BrokerAway, ClientRefused."""
    ensure_topics(cluster, topics, _KAFKA_SECONDS)

    async def run() -> int:
        writer = KafkaWriter(
            cluster,
            delivery_seconds=_KAFKA_SECONDS,
            queue_records=2 * BATCH_LETTERS,
            queue_bytes=_QUEUE_BYTES,
        )
        try:
            return await replay(lake, sites, selection, writer, now=lambda: datetime.now(UTC), progress=progress)
        finally:
            await writer.close(_KAFKA_SECONDS)

    return asyncio.run(run())


def _decided(
    lake: Lake, sites: Sites, selection: Selection
) -> Iterator[list[tuple[DeadLetter, OutgoingRecord | StillInvalid]]]:
    for letters in letters_to_replay(lake, selection, BATCH_LETTERS):
        yield [(letter, readmit(letter, sites)) for letter in letters]
