"""`python -m query_api`: the query API and the dashboard."""

import sys

from pydantic import ValidationError

from query_api.server import serve
from query_api.settings import QuerySettings
from query_api.tokens import TokenError, read_token
from sites import SitesError, load_sites


def main() -> int:
    """Serves until it is asked to stop; answers the exit code."""
    try:
        settings = QuerySettings()
        read_token(settings.home)
        load_sites(settings.sites_file)
    except ValidationError as error:
        fault = error.errors()[0]
        name = "_".join(map(str, fault["loc"])).upper()
        print(f"LOGEKTOR_{name}: {fault['msg']}.", file=sys.stderr)
        return 2
    except (TokenError, SitesError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        serve(settings)
    except OSError as error:
        print(
            f"The query API can't listen on {settings.query_host}:{settings.query_port}: {error.strerror}. "
            "Stop the program that listens there, or choose another port with LOGEKTOR_QUERY_PORT.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
