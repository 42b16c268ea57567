"""What all commands share: which settings they run with, and how a failure is said."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError

from event_stream.errors import StreamError
from lake.errors import LakeError
from logektor.errors import StackError
from logektor.homes import home_in_use
from logektor.running import is_running, read_running
from logektor.settings import StackSettings
from pipelines.refresh.errors import RefreshError
from pipelines.reports.errors import BadReport
from query_api.tokens import TokenError
from sites import SitesError

Home = Annotated[
    Path | None,
    typer.Option(help="Folder of everything that is kept. Else LOGEKTOR_HOME, the running Logektor's, ./var."),
]


@contextmanager
def sentences() -> Iterator[None]:
    """Turns an expected failure into its sentence on stderr: exit code 2 for settings, 1 for the rest."""
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        name = "LOGEKTOR_" + "_".join(str(part) for part in first["loc"]).upper()
        # What was given is not repeated: it may be a password.
        stop(f"{name}: {first['msg']}.", 2)
    except (StackError, SitesError, TokenError, LakeError, StreamError, RefreshError, BadReport) as error:
        stop(str(error))


def stop(sentence: str, code: int = 1) -> NoReturn:
    """Ends the command with a sentence on stderr."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def settings_from(**options: object) -> StackSettings:
    """The settings; options that were given win over the environment."""
    given = {name: value for name, value in options.items() if value is not None}
    return StackSettings(**given)  # type: ignore[arg-type] # checked by pydantic


def settings_in_use(home: Path | None) -> StackSettings:
    """The settings on the home that a command means, and on the lake of the `up` that runs there.

    A lake that the environment names wins. Raises StackError where the home can't be told.
    """
    settings = settings_from(home=home)
    in_use = home_in_use(settings)
    running = read_running(in_use) if settings.lake_uri is None and is_running(in_use) else None
    return settings.model_copy(update={"home": in_use} | ({"lake_uri": running.lake} if running is not None else {}))
