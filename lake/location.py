"""Where the lake is: a folder or an object store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Lake:
    """The lake's address: a path or a URI such as s3://bucket/lake, and the options of its store."""

    uri: str
    storage_options: Mapping[str, str] = field(default_factory=dict)

    def table_uri(self, table: str) -> str:
        """The address of a table."""
        return f"{self.uri.rstrip('/')}/{table}"

    def parquet_folder(self, report: str) -> Path | None:
        """The folder beside the lake with a report's plain Parquet files; None where the lake is no local folder."""
        if "://" in self.uri:
            return None
        return Path(self.uri).parent / "reports_parquet" / report
