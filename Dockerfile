# The hub's image: the hub with its page, and what Debian needs to run it.
#
# By default everything is built inside:
#     docker build -t hubbub .
# With a hub that was built outside, on a Debian no later than the image's, it takes seconds:
#     cargo xtask compose prebuilt
#     docker build -t hubbub --target prebuilt .
# Alone, it is a whole hub on SQLite: docker run -p 8080:8080 -v hubbub:/var/lib/hubbub hubbub

FROM debian:12-slim AS base
# The authorities are for TLS to Postgres and Redis.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/hubbub --create-home hubbub \
    && chmod 0700 /var/lib/hubbub
# By number, so that whoever runs it sees that it is not root.
USER 10001:10001
WORKDIR /var/lib/hubbub
ENV LISTEN=0.0.0.0:8080 HUB_DATA=/var/lib/hubbub
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["hub", "health"]
ENTRYPOINT ["hub"]

# Before the stages that build: a builder that runs all stages up to its target runs none of them.
FROM base AS prebuilt
ARG HUB=target/image/hub
COPY ${HUB} /usr/local/bin/hub

FROM node:22-bookworm-slim AS node

FROM rust:1.95.0-bookworm AS build
# The image's own toolchain, without the components that rust-toolchain.toml wants for developing.
ENV RUSTUP_TOOLCHAIN=1.95.0 CARGO_INCREMENTAL=0
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
# For the page's client. Where rustup's server is out of reach, xtask takes Debian's compiler.
RUN rustup target add wasm32-unknown-unknown || true
WORKDIR /src
COPY . .
RUN cargo xtask run --build-only --profile release \
    && strip --strip-debug -o /usr/local/bin/hub target/release/hub

FROM base AS runtime
COPY --from=build /usr/local/bin/hub /usr/local/bin/hub
