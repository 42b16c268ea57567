"""`python -m benchmarks NAME [--json FILE]`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import backfill, collector, landing, landing_latency, measured, query, reports, soak, startup

BENCHMARKS = {
    "backfill": backfill.run,
    "collector": collector.run,
    "collector_soak": collector.soak,
    "landing": landing.run,
    "landing_latency": landing_latency.run,
    "query": query.run,
    "reports": reports.run,
    "soak": soak.run,
    "startup": startup.run,
}


def main(
    name: Annotated[str, typer.Argument(help="One of: " + ", ".join(BENCHMARKS))],
    json: Annotated[Path | None, typer.Option(help="Also write {name, value, unit, bar, holds} as a list.")] = None,
) -> None:
    """Run a benchmark and print its table."""
    console = Console(highlight=False)
    if name not in BENCHMARKS:
        console.print(f"There is no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}.")
        raise typer.Exit(2)
    results = BENCHMARKS[name](console)
    measured.show(results, console)
    if json is not None:
        measured.write(results, json)


if __name__ == "__main__":
    typer.run(main)
