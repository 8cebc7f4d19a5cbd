# In place of postgres: Debian's server, with the entry point's manners.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
RUN apt-get update -qq \
  && apt-get install -y -qq --no-install-recommends postgresql-15 \
  && rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15 \
  && ln -s /usr/lib/postgresql/15/bin/pg_isready /usr/local/bin/pg_isready
COPY postgres.sh /usr/local/bin/postgres.sh
STOPSIGNAL SIGINT
CMD ["/usr/local/bin/postgres.sh"]
