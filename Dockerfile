# The node in a container: CPU by default.
#   docker build -t spinenode .
#   docker run -p 11112:11112 -p 127.0.0.1:8042:8042 -v spinenode:/var/lib/spinenode spinenode
# Results, queue and received images live in the volume; configuration is read from
# /etc/spinenode/config.yaml and from SPINENODE_... variables.
FROM python:3.11-slim-bookworm

RUN useradd --system --home-dir /var/lib/spinenode --create-home --shell /usr/sbin/nologin spinenode

WORKDIR /opt/spinenode
COPY pyproject.toml constraints.txt README.md LICENSE config.yaml ./
COPY node node
COPY inference inference
COPY texture texture
COPY sr_writer sr_writer
COPY service service
RUN python -m venv /opt/spinenode/venv \
    && /opt/spinenode/venv/bin/pip install --no-cache-dir --constraint constraints.txt . \
    && install -D -m 0644 config.yaml /etc/spinenode/config.yaml

USER spinenode
WORKDIR /var/lib/spinenode
VOLUME /var/lib/spinenode
ENV SPINENODE_NODE__SPOOL=/var/lib/spinenode/spool \
    SPINENODE_SERVICE__DASHBOARD__HOST=0.0.0.0 \
    NUMBA_CACHE_DIR=/var/lib/spinenode/numba
EXPOSE 11112 8042
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["/opt/spinenode/venv/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8042/health/ready', timeout=4)"]
ENTRYPOINT ["/opt/spinenode/venv/bin/spinenode"]
CMD ["serve", "--config", "/etc/spinenode/config.yaml"]
