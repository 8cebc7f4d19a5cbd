#!/bin/bash
# KAFKA_A_B=c of the environment becomes a.b=c, as in the image of the Apache project.
set -euo pipefail
settings=/tmp/server.properties
env | sed -n '/^KAFKA_HEAP_OPTS=/d; s/^KAFKA_\([A-Z_]*\)=\(.*\)$/\1=\2/p' \
  | while IFS='=' read -r name value; do
      name=${name,,}
      printf '%s=%s\n' "${name//_/.}" "$value"
    done > "$settings"
java=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile=/opt/kafka/log4j2.xml
  -cp '/opt/kafka/libs/*')
"${java[@]}" kafka.tools.StorageTool format --ignore-formatted -t 4L6g3nShT-eMCtK--X86sw -c "$settings"
# shellcheck disable=SC2086  # several options in one variable
exec "${java[@]}" ${KAFKA_HEAP_OPTS:-} kafka.Kafka "$settings"
