#!/bin/bash
# POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB, as in the official image.
set -euo pipefail
data=/var/lib/postgresql/data
programs=/usr/lib/postgresql/15/bin
as_server() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
install -d -o postgres -g postgres "$data" /var/run/postgresql
if [ ! -e "$data/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  chown postgres /tmp/password
  as_server "$programs/initdb" --pgdata="$data" --username="$POSTGRES_USER" --pwfile=/tmp/password \
    --auth-host=scram-sha-256 --auth-local=trust --encoding=UTF8 --locale=C.UTF-8 > /dev/null
  echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
  as_server "$programs/pg_ctl" --pgdata="$data" --wait -o '-c listen_addresses=' start > /dev/null
  as_server "$programs/createdb" --username="$POSTGRES_USER" --host=/var/run/postgresql "$POSTGRES_DB"
  as_server "$programs/pg_ctl" --pgdata="$data" --wait --mode=fast stop > /dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups \
  "$programs/postgres" -D "$data" -c listen_addresses='*'
