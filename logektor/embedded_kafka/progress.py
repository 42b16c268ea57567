"""How far the first download is, for a person at a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as ProgressDisplay

from logektor.embedded_kafka.distribution import Progress


@contextmanager
def download_bar(console: Console) -> Iterator[Progress]:
    """A progress bar on `console` that appears with the first byte, so not at all where nothing is missing."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with ProgressDisplay(*columns, console=console) as display:
        task = display.add_task("Downloading Apache Kafka", visible=False)

        def show(received_bytes: int, total_bytes: int) -> None:
            display.update(task, completed=received_bytes, total=total_bytes, visible=True)

        yield show
