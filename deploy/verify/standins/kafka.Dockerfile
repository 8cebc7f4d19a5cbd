# In place of apache/kafka: the broker that the tests run against, with the entry point's manners.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 1000 appuser \
  && install -d -o 1000 -g 1000 /var/lib/kafka/data
COPY lib /opt/kafka/libs
COPY log4j2.xml kafka.sh /opt/kafka/
USER 1000:1000
CMD ["/opt/kafka/kafka.sh"]
