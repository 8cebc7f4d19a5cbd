#!/bin/sh
# Runs a service, or the `tidegate` command, with the kernels that the image was built with: numba
# keeps its cache in a folder that it can write to, and the image cannot be written to. On another
# kind of processor it compiles them again, which takes some ten seconds.
set -eu
mkdir -p "$NUMBA_CACHE_DIR"
cp -R /opt/tidegate/kernels/. "$NUMBA_CACHE_DIR"
exec "$@"
