# In place of prom/alertmanager: Debian's, with that image's entry point, user and data folder.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends prometheus-alertmanager wget \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o 65534 -g 65534 /alertmanager
USER 65534:65534
ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]
