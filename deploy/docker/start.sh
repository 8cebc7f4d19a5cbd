#!/bin/sh
# Runs a service, or the `tidegate` command, with the kernels that the image was built with: numba
# keeps its cache in a folder that it can write to, and the image cannot be written to. On another
# kind of processor it compiles them again, which takes some ten seconds.
set -eu

# The first process of a container is deaf to SIGTERM until it asks for it, and Python takes seconds
# before it does. So this one stays the first, and passes on what it hears, from its first line on.
service=''
is_ending=''
pass_on() {
  is_ending=yes
  [ -z "$service" ] || kill -TERM "$service" 2> /dev/null || true
}
trap pass_on TERM INT

mkdir -p "$NUMBA_CACHE_DIR"
cp -R /opt/tidegate/kernels/. "$NUMBA_CACHE_DIR"
exec 3<&0
"$@" <&3 3<&- &
service=$!
# Heard before there was anybody to tell.
[ -z "$is_ending" ] || pass_on
status=0
wait "$service" || status=$?
# A signal ends `wait`, but not yet the service: 127 says that its end was told before.
while [ -n "$is_ending" ]; do
  is_ending=''
  again=0
  wait "$service" || again=$?
  [ "$again" -eq 127 ] || status=$again
done
exit "$status"
