# An S3 server for compose.yaml, built from source: the version that the tests of the lake ran on. MinIO's own images
# are no longer published.
#
# Run: hadolint, and the `go install` below (tests/object_store/s3_server.py does the same).
# Not run: `docker build`, as there was no container engine. The tags of the bases are in use in public
# repositories; they were not pulled.

FROM golang:1.26.4-bookworm AS build
ENV CGO_ENABLED=0
RUN go install -trimpath -ldflags="-s -w" github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

FROM debian:12.12-slim
RUN useradd --uid 10002 --home-dir /data --shell /usr/sbin/nologin minio \
    && install -d -o minio -g minio -m 0750 /data
COPY --from=build /go/bin/minio /usr/local/bin/minio
USER 10002:10002
EXPOSE 9000
CMD ["minio", "server", "--quiet", "--address", ":9000", "/data"]
