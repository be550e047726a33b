# syntax=docker/dockerfile:1

# The build. Its two caches, of downloads and of compiled code, outlive it: after a change only what changed is
# compiled, dependencies too. The queries are checked against .sqlx, so that no database is needed.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --bin duka \
    && install -D target/release/duka /out/duka

# The shop. There is no PostgreSQL server in it: set DATABASE_URL.
FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --home-dir /var/lib/duka --shell /usr/sbin/nologin duka \
    && install -d -o duka -g duka -m 0700 /var/lib/duka
COPY --from=build /out/duka /usr/local/bin/duka
USER duka
ENV DUKA_DATA_DIR=/var/lib/duka
# The index, which can be built anew, and the key that signs tokens, which is better kept.
VOLUME /var/lib/duka
EXPOSE 8000
# No HEALTHCHECK: the image does not know on which port it is told to listen. docker-compose.yml does.
ENTRYPOINT ["duka"]
CMD ["serve", "--listen", "0.0.0.0:8000"]
