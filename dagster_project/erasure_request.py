"""Who is to be erased, in a file of the home: what a run is configured with stays in Dagster's history for days."""

from pathlib import Path

import dagster as dg
from pydantic import BaseModel, ConfigDict, ValidationError

from lake.erasure import Wanted


class _Request(BaseModel):
    """The content of the file. Its errors show no values: they go to the history too."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    visitor: str | None = None
    user: str | None = None
    site: str | None = None


def read_request(file: Path) -> Wanted:
    """What a file such as {"user": "ann@example.com"} asks for. Raises dg.Failure with a sentence that names nobody."""
    example = 'It is JSON such as {"visitor": "…"}, {"user": "…", "site": "…"} or {"site": "…"}'
    try:
        request = _Request.model_validate_json(file.read_bytes())
        return Wanted(request.visitor, request.user, request.site)
    except OSError as error:
        raise dg.Failure(f"{file} can't be read: {error.strerror}. {example}.") from None
    except ValidationError:
        raise dg.Failure(f"{file} asks for nothing that can be erased. {example}.") from None
    except ValueError as error:
        raise dg.Failure(f"{file}: {error} {example}.") from None
