"""Where the lake is: a folder or an object store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_S3_OPTIONS = {
    # A commit is an object that must not be there yet. Nothing in the environment may switch that off.
    "aws_conditional_put": "etag",
    # Whoever names an endpoint with http:// means it.
    "aws_allow_http": "true",
}


@dataclass(frozen=True)
class Lake:
    """The lake's address: a folder, or a folder of an object store such as s3://bucket/lake.

    A store's endpoint, region and credentials are not kept here: deltalake and Polars take them from the environment
    of the process, under their standard names such as AWS_ENDPOINT_URL and AWS_ACCESS_KEY_ID.
    """

    uri: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of this machine."""
        return "://" not in self.uri

    @property
    def storage_options(self) -> Mapping[str, str]:
        """What deltalake and Polars are told of the store beside its address."""
        return _S3_OPTIONS if self.uri.startswith("s3://") else {}

    @property
    def parent(self) -> str:
        """The address of the folder that the lake is in."""
        return str(Path(self.uri).parent) if self.is_folder else self.uri.rstrip("/").rpartition("/")[0]

    def table_uri(self, table: str) -> str:
        """The address of a table."""
        return f"{self.uri.rstrip('/')}/{table}"
