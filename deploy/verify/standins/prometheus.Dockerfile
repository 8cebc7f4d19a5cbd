# In place of prom/prometheus: Debian's, with that image's entry point, user and data folder.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends prometheus wget \
  && rm -rf /var/lib/apt/lists/* /etc/prometheus \
  && install -d -o 65534 -g 65534 /prometheus
USER 65534:65534
ENTRYPOINT ["/usr/bin/prometheus"]
