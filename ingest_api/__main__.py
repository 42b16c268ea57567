"""`python -m ingest_api`: the collector."""

import sys

from pydantic import ValidationError

from ingest_api.countries import Countries, CountryFileError
from ingest_api.server import serve
from ingest_api.settings import CollectorSettings
from sites import SitesError, load_sites


def main() -> int:
    """Serves until it is asked to stop; answers the exit code."""
    try:
        settings = CollectorSettings()
        load_sites(settings.sites_file)
        Countries(settings.country_file)
    except ValidationError as error:
        fault = error.errors()[0]
        name = "_".join(map(str, fault["loc"])).upper()
        print(f"LOGEKTOR_{name}: {fault['msg']}.", file=sys.stderr)
        return 2
    except (SitesError, CountryFileError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        serve(settings)
    except OSError as error:
        print(
            f"The collector can't listen on {settings.collector_host}:{settings.collector_port}: {error.strerror}. "
            "Stop the program that listens there, or choose another port with LOGEKTOR_COLLECTOR_PORT.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
