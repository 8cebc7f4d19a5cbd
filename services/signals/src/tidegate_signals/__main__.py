"""Run signals for the shards that Faust assigns: `python -m tidegate_signals`."""

import asyncio

from tidegate_common.bus.kafka import KafkaBus
from tidegate_common.runtime.service import Service, run
from tidegate_signals.settings import SignalsSettings
from tidegate_signals.stream import SignalsStream


async def serve(service: Service[SignalsSettings]) -> None:
    """Compose the stream and run it."""
    kafka = service.settings.kafka.config()
    bus = KafkaBus(kafka)
    await bus.start()
    stream = SignalsStream(
        bus=bus,
        kafka=kafka,
        metrics=service.metrics,
        snapshot_every_beats=service.settings.snapshot_every_beats,
    )
    service.health.status = stream.status
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_say_when_ready(service, stream))
            await stream.run(service.stopping)
            watch.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group
    finally:
        service.health.is_ready = False
        await bus.close()


async def _say_when_ready(service: Service[SignalsSettings], stream: SignalsStream) -> None:
    await stream.assigned.wait()
    service.health.is_ready = True


if __name__ == "__main__":
    run("signals", SignalsSettings, serve)
