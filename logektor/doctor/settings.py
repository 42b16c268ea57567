"""What the doctor asks the environment for beside Logektor's own settings: where others keep what it looks at."""

from pathlib import Path

from pydantic import HttpUrl
from pydantic_settings import BaseSettings


class Surroundings(BaseSettings):
    """The object store's address, as deltalake reads it, and Dagster's folder, as Dagster does."""

    aws_endpoint_url: HttpUrl = HttpUrl("https://s3.amazonaws.com")
    dagster_home: Path | None = None
