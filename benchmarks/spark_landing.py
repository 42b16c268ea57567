"""What Spark Structured Streaming needs for the same: `python spark_landing.py KAFKA TOPIC TABLE RECORDS_A_TRIGGER`.

Runs in an environment of its own that has pyspark; see benchmarks/spark.py.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - Spark's own habit

PACKAGES = "io.delta:delta-spark_4.2_2.13:4.4.0,org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"

TEXTS = (
    "eventId site action objectType objectId subjectType subjectId visitorId userId sessionId url referrer title"
    " language userAgent country properties"
)
FIELDS = ", ".join(
    [f"{name} STRING" for name in TEXTS.split()]
    + ["occurredAt BIGINT", "receivedAt BIGINT", "ingestVersion INT", "screenWidth INT", "clockAdjusted BOOLEAN"]
)


def main(bootstrap: str, topic: str, table: str, records_a_trigger: str) -> None:
    """Lands all that the topic has, in triggers of so many records."""
    spark = session()
    spark.sparkContext.setLogLevel("ERROR")
    read = spark.readStream.format("kafka").options(
        **{
            "kafka.bootstrap.servers": bootstrap,
            "subscribe": topic,
            "startingOffsets": "earliest",
            "maxOffsetsPerTrigger": records_a_trigger,
        }
    )
    rows = (
        read.load()
        .withColumn("event", F.from_json(F.col("value").cast("string"), FIELDS))
        .select(
            F.lit("event").alias("kind"),
            F.current_date().alias("landed_date"),
            F.lit(topic).alias("stream_id"),
            F.col("partition").alias("kafka_partition"),
            F.col("offset").alias("kafka_offset"),
            F.col("timestamp").alias("kafka_timestamp"),
            F.current_timestamp().alias("landed_at"),
            "event.*",
        )
        .withColumn("occurredAt", F.timestamp_micros("occurredAt"))
        .withColumn("receivedAt", F.timestamp_micros("receivedAt"))
    )
    write = rows.writeStream.format("delta").partitionBy("kind", "landed_date").trigger(availableNow=True)
    write.option("checkpointLocation", f"{table}-checkpoint").start(table).awaitTermination()
    spark.stop()


def session() -> SparkSession:
    """Spark with Delta and Kafka on all cores of this machine."""
    return (
        SparkSession.builder.master("local[*]")
        .config("spark.jars.packages", PACKAGES)
        .config("spark.driver.memory", "3g")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .getOrCreate()
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
