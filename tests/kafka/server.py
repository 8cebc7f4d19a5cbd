"""One Apache Kafka on loopback, for as long as it is needed.

As a command, with nothing but the standard library:

    mvn -B -q -f tests/kafka/pom.xml package     fills build/kafka/lib
    python tests/kafka/server.py                 prints the address, serves until it is stopped
    python tests/kafka/server.py -- make test    runs a command with TIDEGATE_TEST_APACHE_KAFKA set

The broker is its own controller (KRaft), keeps its log in a temporary folder and takes free ports.
"""

import argparse
import base64
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ROOT / "build" / "kafka" / "lib"
ADDRESS_VARIABLE = "TIDEGATE_TEST_APACHE_KAFKA"

HOST = "127.0.0.1"
START_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 20.0
POLL_SECONDS = 0.2
LOG_TAIL_LINES = 40

# Small and quick to start: the tests are few and the machine has other work.
JVM_OPTIONS = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""

LOGGING = """\
<Configuration status="WARN">
  <Appenders>
    <Console name="console"><PatternLayout pattern="%d %p %c: %m%n"/></Console>
  </Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
"""

# ApiVersions v0: size, API key 18, version 0, correlation 1, no client id.
PING = struct.pack(">ihhih", 10, 18, 0, 1, -1)
# Size, correlation and error code come first in its answer.
PONG = struct.Struct(">iih")


class BrokerError(Exception):
    """The broker did not start; the message holds the reason and the end of its log."""


@contextmanager
def kafka_server() -> Iterator[str]:
    """Run a broker and yield its address, `host:port`."""
    with tempfile.TemporaryDirectory(prefix="tidegate-kafka-") as name:
        folder = Path(name)
        port, controller_port = _free_ports(2)
        (folder / "log4j2.xml").write_text(LOGGING)
        (folder / "server.properties").write_text(
            SETTINGS.format(host=HOST, port=port, controller_port=controller_port, folder=folder)
        )
        _format_storage(folder)
        log = folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_java(folder), "kafka.Kafka", str(folder / "server.properties")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
            )
        try:
            _wait_until_ready(process, port, log)
            yield f"{HOST}:{port}"
        finally:
            _stop(process)


def _java(folder: Path) -> list[str]:
    java = shutil.which("java")
    if java is None:
        message = "expected Java 17 or later as `java` on the PATH, found none"
        raise BrokerError(message)
    if not list(LIBRARIES.glob("kafka_*.jar")):
        message = f"no broker in {LIBRARIES}: run `mvn -B -q -f tests/kafka/pom.xml package` first"
        raise BrokerError(message)
    logging = f"-Dlog4j2.configurationFile={folder / 'log4j2.xml'}"
    return [java, *JVM_OPTIONS, logging, "-cp", f"{LIBRARIES}/*"]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(server.getsockname()[1]) for server in sockets]
    for server in sockets:
        server.close()
    return ports


def _format_storage(folder: Path) -> None:
    # Kafka writes a cluster id as 16 bytes in URL-safe base 64, without the padding. An id that
    # begins with a dash would read as an option.
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    settings = str(folder / "server.properties")
    tool = ["kafka.tools.StorageTool", "format", "-t", cluster_id.replace("-", "A"), "-c", settings]
    done = subprocess.run([*_java(folder), *tool], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"formatting the storage failed ({done.returncode}):\n{done.stdout}{done.stderr}"
        raise BrokerError(message)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            return
        time.sleep(POLL_SECONDS)
    ended = process.poll()
    what = f"did not answer in {START_SECONDS_MAX:.0f} s" if ended is None else f"ended ({ended})"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
    message = f"Apache Kafka {what}; the end of its log:\n{tail}"
    raise BrokerError(message)


def _answers(port: int) -> bool:
    # The port is open long before requests are served, so a connection proves nothing.
    try:
        with socket.create_connection((HOST, port), timeout=2) as connection:
            connection.sendall(PING)
            answer = connection.recv(PONG.size, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == PONG.size and PONG.unpack(answer)[1:] == (1, 0)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _serve(command: list[str]) -> int:
    with kafka_server() as address:
        if command:
            environment = os.environ | {ADDRESS_VARIABLE: address}
            return subprocess.run(command, env=environment, check=False).returncode
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        signal.pause()
    return 0


def main() -> int:
    """Serve until stopped, or as long as a command runs; its exit code is ours."""
    parser = argparse.ArgumentParser(description="Run one Apache Kafka on loopback.")
    parser.add_argument("command", nargs="*", help="what to run against it; none: serve")
    command = parser.parse_args().command
    # A terminated process unwinds like any other, or the broker would outlive it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return _serve(command)
    except BrokerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
