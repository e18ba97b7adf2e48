# The node in a container.
#   docker build -t spinenode .                               processor only
#   docker build -t spinenode:cuda --build-arg VARIANT=cuda . with the CUDA build of torch
#   docker run -p 11112:11112 -p 127.0.0.1:8042:8042 -v spinenode:/var/lib/spinenode spinenode
# If dist/wheelhouse is there (`make wheelhouse`), it is used first, and with
# --build-arg PIP_NO_INDEX=1 nothing else. See docs/installation.md.
ARG BASE=debian:bookworm-20250520-slim@sha256:90522eeb7e5923ee2b871c639059537b30521272f10ca86fdbbbb2b75a8c40cd

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv ca-certificates \
    && rm -rf /var/lib/apt/lists/*
ARG VARIANT=cpu
# Where pip looks besides its default, for example for the processor-only build of torch.
ARG PIP_EXTRA_INDEX_URL=
ARG PIP_NO_INDEX=
WORKDIR /build
COPY . .
RUN deploy/build-environment.sh "$VARIANT" /opt/spinenode/venv

FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 spinenode \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/spinenode --shell /usr/sbin/nologin spinenode \
    && install -d -o spinenode -g spinenode -m 0750 /var/lib/spinenode /var/cache/spinenode
COPY --from=build /opt/spinenode /opt/spinenode
COPY config.yaml /etc/spinenode/config.yaml

USER 10001:10001
WORKDIR /var/lib/spinenode
VOLUME /var/lib/spinenode
# In a container the dashboard has to listen on every address of its own; who reaches it is decided
# by what is published (compose.yaml: loopback only).
ENV SPINENODE_NODE__SPOOL=/var/lib/spinenode/spool \
    SPINENODE_SERVICE__DASHBOARD__HOST=0.0.0.0 \
    NUMBA_CACHE_DIR=/var/cache/spinenode/numba \
    MPLCONFIGDIR=/var/cache/spinenode/matplotlib \
    PYTHONDONTWRITEBYTECODE=1
EXPOSE 11112 8042
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["/opt/spinenode/venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8042/health/ready', timeout=4)"]
ENTRYPOINT ["/opt/spinenode/venv/bin/spinenode"]
CMD ["serve", "--config", "/etc/spinenode/config.yaml"]
