"""Tells somebody else's server."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydantic import SecretStr

_SECONDS = 10.0


def post(webhook: SecretStr, body: Mapping[str, object]) -> str | None:
    """POSTs JSON; answers why it was not taken, None where it was. Never says the URL, which is a secret."""
    try:
        request = Request(  # noqa: S310 - the setting takes http and https only
            webhook.get_secret_value(), json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
            return None
    except HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        return f"it can't be reached ({type(error).__name__})"
