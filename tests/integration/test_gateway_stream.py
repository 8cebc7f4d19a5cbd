"""The live stream over real sockets: many clients, a stalled one, restarts."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from tests.unit.gateway.desk import make_resources
from tests.unit.gateway.guarded import FakeKeys
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tidegate_common.bus.base import Bus, NewTopic, Reader, TopicPartition
from tidegate_common.bus.memory import MemoryBus
from tidegate_common.errors import TransientError
from tidegate_common.events.message import Message
from tidegate_common.events.topics import FILLS
from tidegate_common.testing.scripted_run import ScriptedRun, all_topics
from tidegate_gateway.app import create_app
from tidegate_gateway.security import Security
from tidegate_gateway.server import listen_at, server_of
from tidegate_gateway.streams.hub import StreamHub, StreamLimits, StreamMetrics
from tidegate_gateway.streams.log import Topology

ACCOUNTS = tuple(f"A{number}" for number in range(10))
SCRIPT = ScriptedRun(beat_count=90, accounts=ACCOUNTS)
ALL_CHANNELS = ("decisions", "fills", "orders")
PATIENCE_SECONDS = 30


async def make_bus() -> MemoryBus:
    """Return a bus with every topic."""
    bus = MemoryBus()
    await bus.create_topics(all_topics())
    return bus


async def publish(bus: MemoryBus, beats: range, script: ScriptedRun = SCRIPT) -> None:
    """Let beats happen."""
    await bus.publish([message for beat in beats for message in script.beat_messages(beat)])


@asynccontextmanager
async def gateway(
    bus: Bus,
    limits: StreamLimits | None = None,
    security: Security | None = None,
) -> AsyncIterator[str]:
    """Serve a gateway on a socket; yield host:port."""
    registry = CollectorRegistry()
    hub = StreamHub(bus, Topology(), limits=limits, metrics=StreamMetrics(registry))
    resources = replace(make_resources(), registry=registry, streams=hub)
    resources = replace(resources, security=security or Security())
    listener = listen_at("127.0.0.1", 0)
    server = server_of(create_app(resources))
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(hub.run())
        serving = tasks.create_task(server.serve(sockets=[listener]))
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
            reading.cancel()
            listener.close()


def subscription(
    channels: Sequence[str] = ALL_CHANNELS,
    after: str | None = None,
    **wanted: list[str],
) -> str:
    """Return a message that subscribes to channels."""
    return json.dumps(
        {"op": "subscribe", "channels": dict.fromkeys(channels, wanted), "after": after},
    )


async def hear(client: ClientConnection, kind: str | None = None) -> dict[str, Any]:
    """Return the next message, or the next of a type; heartbeats do not count."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            message: dict[str, Any] = json.loads(await client.recv())
            if message["type"] == (kind or message["type"]) != "heartbeat":
                return message


async def hear_events(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    """Return the next events."""
    return [await hear(client, "event") for _ in range(count)]


def expected(account: str, beats: range) -> list[tuple[str, str, str]]:
    """Return kind, id and status of an account's events in the order in which they are told."""
    told: list[tuple[str, str, str]] = []
    for beat in beats:
        first = beat - beat % 3
        order = f"run-1.{first}.{account}.0"
        if beat % 3:
            told.append(("fill", f"{order}.{beat % 3 - 1}", ""))
            told.append(("updated", order, "partially_filled" if beat % 3 == 1 else "filled"))
        else:
            told += [("decision", f"run-1.{beat}.{account}.{n}", "") for n in (0, 1)]
            told.append(("submitted", order, "pending_new"))
    return told


def heard(messages: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return kind, id and status of events."""
    names = {"fill": "fill_id", "decision": "decision_id"}
    return [
        (
            one["kind"],
            one["data"][names.get(one["kind"], "order_id")],
            one["data"].get("status", ""),
        )
        for one in messages
    ]


async def stalled(address: str) -> socket.socket:
    """Return a socket that subscribed to everything and that nobody reads."""
    host, port = address.split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)  # noqa: FBT003  # the name of the method says it
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (host, int(port)))
    request = (
        f"GET /v1/stream HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await loop.sock_sendall(client, request.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await loop.sock_recv(client, 1_000)
    text = subscription().encode()
    # A masked text frame (RFC 6455 5.2) of less than 126 bytes, whose mask is zero.
    await loop.sock_sendall(client, bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
    return client


async def test_stream_hundred_clients_one_stalled_the_others_lose_nothing() -> None:
    """A client that does not read costs itself its place, and nobody else anything."""
    bus = await make_bus()
    limits = StreamLimits(lag_entries_max=600)
    async with gateway(bus, limits) as address:
        asleep = await stalled(address)
        clients = [await connect(f"ws://{address}/v1/stream") for _ in range(99)]
        for number, client in enumerate(clients):
            await client.send(subscription(accounts=[ACCOUNTS[number % 10]]))
        for client in clients:
            await hear(client, "subscribed")
        found: list[list[dict[str, Any]]] = [[] for _ in clients]
        for start in range(0, 90, 9):
            beats = range(start, start + 9)
            await publish(bus, beats)
            count = len(expected("A0", beats))
            news = await asyncio.gather(*(hear_events(client, count) for client in clients))
            found = [mine + more for mine, more in zip(found, news, strict=True)]
        async with httpx.AsyncClient() as http:
            metrics = (await http.get(f"http://{address}/metrics")).text
        for client in clients:
            await client.close()
        asleep.close()

    for number, mine in enumerate(found):
        assert heard(mine) == expected(ACCOUNTS[number % 10], range(90))
    assert 'tidegate_gateway_stream_ends_total{outcome="overrun"} 1.0' in metrics


async def test_stream_goes_on_after_a_restart_of_the_gateway() -> None:
    """A cursor means the same to the next gateway, which reads the log's end first."""
    bus = await make_bus()
    async with gateway(bus) as address, connect(f"ws://{address}/v1/stream") as client:
        await client.send(subscription(accounts=["A1"]))
        await hear(client, "subscribed")
        await publish(bus, range(6))
        before = await hear_events(client, 5)
    await publish(bus, range(6, 9))
    async with gateway(bus) as address, connect(f"ws://{address}/v1/stream") as client:
        await client.send(subscription(accounts=["A1"], after=before[-1]["seq"]))
        answer = await hear(client)
        after = await hear_events(client, len(expected("A1", range(9))) - 5)

    assert answer["type"] == "subscribed"
    assert heard(before + after) == expected("A1", range(9))


async def test_events_go_on_after_last_event_id() -> None:
    """A browser's EventSource reconnects by itself and says what it has."""
    bus = await make_bus()
    await publish(bus, range(6))
    found: list[dict[str, Any]] = []
    last_id = "-,-,-"
    for total in (4, 14):
        async with gateway(bus) as address, httpx.AsyncClient() as http:
            url = f"http://{address}/v1/events?account=A1"
            url += "".join(f"&channel={name}" for name in ALL_CHANNELS)
            async with http.stream("GET", url, headers={"Last-Event-ID": last_id}) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                async for line in response.aiter_lines():
                    if line.startswith("id: "):
                        last_id = line.removeprefix("id: ")
                    if line.startswith("data: ") and '"type":"event"' in line:
                        found.append(json.loads(line.removeprefix("data: ")))
                    if len(found) == total and not line:
                        break

    assert heard(found) == expected("A1", range(6))


async def test_stream_after_more_than_is_kept_says_gap() -> None:
    """Never silence."""
    bus = await make_bus()
    await publish(bus, range(30))
    limits = StreamLimits(replay_beats=6)
    async with gateway(bus, limits) as address, connect(f"ws://{address}/v1/stream") as client:
        await client.send(subscription(["fills"], after="run-1@3.0,3.0,3.0", accounts=["A1"]))
        answers = [await hear(client) for _ in range(3)]

    assert [answer["type"] for answer in answers] == ["subscribed", "gap", "event"]
    assert answers[2]["data"]["beat"] >= 23


async def test_stream_slow_client_is_told_overrun_and_where_to_go_on() -> None:
    """It comes again with that place and has lost nothing."""
    bus = await make_bus()
    limits = StreamLimits(lag_entries_max=20)
    async with gateway(bus, limits) as address:
        async with connect(f"ws://{address}/v1/stream") as client:
            await client.send(subscription())
            await hear(client, "subscribed")
            await publish(bus, range(3))
            overrun = await hear(client, "overrun")
            with pytest.raises(ConnectionClosed) as closed:
                await hear(client)
        async with connect(f"ws://{address}/v1/stream") as client:
            await client.send(subscription(["fills"], after=overrun["seq"], accounts=["A1"]))
            events = await hear_events(client, 2)

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "overrun")
    assert [event["data"]["beat"] for event in events] == [1, 2]


async def test_stream_portfolios_and_unsubscribe() -> None:
    """A portfolio comes at once as far as it is known; a channel that is left is silent."""
    bus = await make_bus()
    await publish(bus, range(3))
    async with gateway(bus) as address, connect(f"ws://{address}/v1/stream") as client:
        await client.send(subscription(["portfolios"], accounts=["A1"]))
        first = [await hear(client), await hear(client)]
        await client.send('{"op": "unsubscribe", "channels": ["portfolios"]}')
        left = await hear(client)
        await publish(bus, range(3, 6))
        await client.send('{"op": "ping"}')
        async with asyncio.timeout(PATIENCE_SECONDS):
            pong = json.loads(await client.recv())

    assert first[1]["data"]["account_id"] == "A1"
    assert first[1]["data"]["beat"] == 2
    assert "source" not in first[1]["data"]
    assert left["channels"] == []
    assert pong["type"] == "heartbeat"


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ("{", "message: Invalid JSON"),
        ('{"op": "sing"}', "message: Input tag 'sing'"),
        ('{"op": "subscribe", "channels": {"quotes": {}}}', "quotes must name symbols"),
        ('{"op": "subscribe", "channels": {"gossip": {}}}', "gossip"),
        (
            '{"op": "subscribe", "channels": {"portfolios": {"symbols": ["600519.SH"]}}}',
            "accounts only",
        ),
        ('{"op": "subscribe", "channels": {"fills": {"symbols": ["x"]}}}', "symbol must look like"),
        ('{"op": "subscribe", "channels": {"fills": {}}, "after": "x,-,-"}', "must be a `seq`"),
        ('{"op": "subscribe", "channels": {"fills": {}}, "after": "1"}', "3 places"),
    ],
)
async def test_stream_bad_message_is_answered_with_an_error(said: str, detail: str) -> None:
    """The client learns what is wrong and stays."""
    async with gateway(await make_bus()) as address, connect(f"ws://{address}/v1/stream") as client:
        await client.send(said)
        answer = await hear(client)

    assert answer["type"] == "error"
    assert detail in answer["detail"]


async def test_stream_limits_close_clients(caplog: pytest.LogCaptureFixture) -> None:
    """Too many, too large, too idle, not text; who is refused is no fault of the log."""
    codes = []
    for said, idle_seconds in ((None, 0.5), ("x" * 11, 60.0), (b"bytes", 60.0)):
        limits = StreamLimits(clients_max=1, idle_seconds=idle_seconds, message_characters_max=10)
        async with (
            gateway(await make_bus(), limits) as address,
            connect(f"ws://{address}/v1/stream") as client,
        ):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://{address}/v1/stream")
            if said is not None:
                await client.send(said)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await client.wait_closed()
            codes.append(client.close_code)

    assert refused.value.response.status_code == 503
    assert not [one for one in caplog.records if one.levelname == "ERROR"]
    assert codes == [1000, 1009, 1003]


class BreakingReader:
    """A reader that breaks when it is told to."""

    def __init__(self, reader: Reader, bus: "BreakingBus") -> None:
        self._reader = reader
        self._bus = bus

    async def poll(self, timeout_seconds: float) -> list[Message]:
        """Return what has come, unless it is broken."""
        if self._bus.is_broken:
            message = "expected an answer of Kafka, found: nothing"
            raise TransientError(message)
        return await self._reader.poll(timeout_seconds)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop reading partitions."""

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Read them again."""

    def answered_ns(self) -> int:
        """Return when the broker last answered."""
        return self._reader.answered_ns()

    async def close(self) -> None:
        """Let go."""
        await self._reader.close()


class BreakingBus(MemoryBus):
    """Its readers break when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_broken = False

    async def open_reader(
        self,
        positions: Mapping[TopicPartition, int],
        *,
        is_urgent: bool = False,
    ) -> Reader:
        """Return a reader that may break."""
        return BreakingReader(await super().open_reader(positions, is_urgent=is_urgent), self)


async def test_stream_without_broker_lets_clients_go_and_takes_them_again() -> None:
    """Close code 1013 says: try again later."""
    bus = BreakingBus()
    await bus.create_topics(all_topics())
    async with gateway(bus) as address:
        async with connect(f"ws://{address}/v1/stream") as client:
            await client.send(subscription(accounts=["A1"]))
            await hear(client, "subscribed")
            bus.is_broken = True
            await bus.publish(SCRIPT.beat_messages(0))
            async with asyncio.timeout(PATIENCE_SECONDS):
                await client.wait_closed()
        code = client.close_code
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}/v1/stream")
        bus.is_broken = False
        async with connect(f"ws://{address}/v1/stream") as client:
            await client.send(subscription(accounts=["A1"], after="-,-,-"))
            answer = await hear(client)

    assert code == 1013
    assert refused.value.response.status_code == 503
    assert answer["type"] == "subscribed"


async def test_headers_that_never_end_are_refused() -> None:
    """Nobody fills the memory with a request that has not begun; one that is whole is answered."""
    answers = []
    async with gateway(await make_bus()) as address:
        host, port = address.split(":")
        for head in (b"x: " + b"y" * 40_000, b"host: 127.0.0.1\r\nconnection: close\r\n\r\n"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET /livez HTTP/1.1\r\n" + head)
            async with asyncio.timeout(PATIENCE_SECONDS):
                answers.append(await reader.readline())
            writer.close()
            await writer.wait_closed()

    assert [answer.split()[1] for answer in answers] == [b"400", b"200"]


async def test_topics_of_the_stream_exist() -> None:
    """It reads what a deployment creates, and nothing else."""
    topology = Topology(2, 3, 4)
    places = topology.places((FILLS,))
    created = {topic.name: topic for topic in all_topics(shard_count=2, risk_partition_count=3)}

    assert isinstance(created[FILLS.name], NewTopic)
    assert places[-1] == TopicPartition(FILLS.name, 11)
    assert topology.tail(places[0], 100) == 51


async def test_key_for_one_account_hears_of_no_other() -> None:
    """Over a WebSocket and as server-sent events; who names another account is told so."""
    bus = await make_bus()
    await publish(bus, range(6))
    key = {"Authorization": "Bearer trader-a1"}
    told: list[dict[str, Any]] = []

    async with gateway(bus, security=Security(keys=FakeKeys())) as place:
        async with connect(f"ws://{place}/v1/stream", additional_headers=key) as client:
            await client.send(subscription(accounts=["A2"]))
            refused = await hear(client)
            await client.send(subscription(after="-,-,-"))
            assert (await hear(client))["type"] == "subscribed"
            told += await hear_events(client, len(expected("A1", range(6))))
        events = f"http://{place}/v1/events?channel=fills"
        first = {**key, "Last-Event-ID": "-,-,-"}
        async with httpx.AsyncClient() as web, web.stream("GET", events, headers=first) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: ") and '"fills"' in line and '"event"' in line:
                    told.append(json.loads(line.removeprefix("data: ")))
                    if told[-1]["data"]["beat"] == 5:
                        break

    assert refused["type"] == "error"
    assert "not for these accounts: A2" in refused["detail"]
    assert {one["data"]["account_id"] for one in told} == {"A1"}
    fills = [one for one in expected("A1", range(6)) if one[0] == "fill"]
    assert heard(told) == expected("A1", range(6)) + fills


@pytest.mark.parametrize(("is_revoked", "code"), [(True, 4003), (False, 1013)])
async def test_key_that_is_good_no_more_ends_its_streams(
    is_revoked: bool,  # noqa: FBT001  # drawn
    code: int,
) -> None:
    """Revoked, or nobody knows any more; the streams of others go on."""
    keys, limits = FakeKeys(), StreamLimits(heartbeat_seconds=0.05)
    key, other = ({"Authorization": f"Bearer {name}"} for name in ("trader-a1", "reader"))

    async with gateway(await make_bus(), limits, Security(keys=keys)) as place:
        url = f"ws://{place}/v1/stream"
        async with (
            connect(url, additional_headers=key) as client,
            connect(url, additional_headers=other) as stranger,
            httpx.AsyncClient() as web,
            web.stream(
                "GET", f"http://{place}/v1/events?channel=fills", headers=key, timeout=30
            ) as answer,
        ):
            await stranger.send('{"op": "ping"}')
            assert json.loads(await stranger.recv())["type"] == "heartbeat"
            keys.revoked.add("trader-a1")
            keys.is_away = not is_revoked
            await client.wait_closed()
            lines = [line async for line in answer.aiter_lines()]
            if is_revoked:
                assert json.loads(await stranger.recv())["type"] == "heartbeat"

    assert client.close_code == code
    assert any("heartbeat" in line or "subscribed" in line for line in lines)
