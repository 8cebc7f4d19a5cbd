# One image for every service and for the `tidegate` command: they share one lock, so one digest says
# which numpy a whole platform computes with (docs/adr/0026).
#
#   docker build -f deploy/docker/service.Dockerfile -t tidegate .

# The version of .python-version. A build that must be reproducible adds the digest: TAG@sha256:….
ARG PYTHON_TAG=3.11-slim-bookworm

# --- the environment, with what builds it ---------------------------------------------------------
FROM python:${PYTHON_TAG} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/tidegate

# First what changes rarely: only what the lock names, by its hash.
COPY deploy/docker/requirements.lock /source/deploy/docker/requirements.lock
RUN /opt/tidegate/bin/python -m pip install --quiet --require-hashes \
    --requirement /source/deploy/docker/requirements.lock

COPY libs /source/libs
COPY services /source/services
RUN /opt/tidegate/bin/python -m pip install --quiet --no-deps --no-index --no-build-isolation \
    /source/libs/common /source/services/ingest /source/services/signals /source/services/risk \
    /source/services/execution /source/services/recorder /source/services/api-gateway \
    /source/services/backtest /source/libs/cli \
  && /opt/tidegate/bin/python -m pip uninstall --quiet --yes hatchling pathspec pluggy \
    trove-classifiers pip setuptools

# Byte code and compiled kernels are made here, because the file system is read-only where they run.
# numba knows a file by its time of change, of which a layer keeps the seconds only: so whole ones.
COPY config /opt/tidegate/config
ENV NUMBA_CACHE_DIR=/opt/tidegate/kernels TIDEGATE_CONFIG_DIR=/opt/tidegate/config
RUN find /opt/tidegate -name '*.py' -exec touch --date=2000-01-01T00:00:00Z {} + \
  && /opt/tidegate/bin/python -m compileall -q -f /opt/tidegate/lib \
  && /opt/tidegate/bin/tidegate backtest --instruments 40 --beats 40 --accounts 2 --json \
  && /opt/tidegate/bin/tidegate backtest --instruments 40 --days 40 --beats 2 --strategy ma_cross \
    --json

# --- what runs ------------------------------------------------------------------------------------
FROM python:${PYTHON_TAG}

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tidegate" \
      org.opencontainers.image.description="Tidegate, a streaming A-share trading platform" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /opt/tidegate /opt/tidegate
COPY deploy/docker/start.sh deploy/docker/healthcheck.py /opt/tidegate/bin/

# All that is written besides volumes: the kernels' cache, in /tmp.
ENV PATH=/opt/tidegate/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/kernels \
    TIDEGATE_CONFIG_DIR=/opt/tidegate/config \
    TIDEGATE_LOG_FORMAT=json \
    TIDEGATE_HTTP_HOST=0.0.0.0 TIDEGATE_HTTP_PORT=9100

# Whoever mounts volumes there has them writable for this user.
RUN install -d -o 10001 -g 10001 /var/lib/tidegate/archive /var/lib/tidegate/runs
WORKDIR /var/lib/tidegate
USER 10001:10001

EXPOSE 8000 9100
# Alive, not ready: a service without its broker is not ready, and restarting it would not help.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-I", "-S", "/opt/tidegate/bin/healthcheck.py", "/livez"]

# `docker run tidegate python -m tidegate_risk`, or `docker run tidegate tidegate migrate`.
ENTRYPOINT ["/opt/tidegate/bin/start.sh"]
CMD ["tidegate", "--help"]
