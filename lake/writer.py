"""How deltalake writes the lake's Parquet files."""

from deltalake import WriterProperties

WRITER = WriterProperties(compression="ZSTD", compression_level=1)
