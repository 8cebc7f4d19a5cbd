"""Whatever the timing, the repeats and the crashes: the same outputs."""

from dataclasses import replace
from functools import cache
from itertools import chain
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.bus.base import TopicPartition
from tidegate_common.bus.beats import StageCore
from tidegate_common.bus.headers import origin_of
from tidegate_common.bus.snapshots import decode_snapshot, encode_snapshot
from tidegate_common.events.message import Message
from tidegate_common.events.topics import ORDERS, SCORES, STRIPED_TOPICS, stripe_of
from tidegate_common.testing.builders import make_beat_message, make_tick_message
from tidegate_common.testing.fakes import BAD_VALUE, ToyProcessor

Log = dict[TopicPartition, list[Message]]
Output = list[tuple[str, bytes]]

# The second one is cut off: its shards end apart, before its last beat, perhaps before its first.
RUNS = (("run-a", 5), ("run-x", 9), ("run-b", 3))
CUT_OFF = "run-x"


@cache
def lanes(run_id: str, beat_count: int) -> tuple[tuple[Message, ...], ...]:
    """Return what each of the toy's five producers says in a run."""
    beats = range(beat_count)
    ticks = [
        tuple(
            make_tick_message(beat, shard=shard, run_id=run_id, is_last=beat == beat_count - 1)
            for beat in beats
        )
        for shard in (0, 1)
    ]
    others = [
        tuple(make_beat_message(topic, beat, producer=name, run_id=run_id) for beat in beats)
        for topic, name in ((SCORES, "signals-0"), (ORDERS, "risk-0"), (ORDERS, "risk-1"))
    ]
    return (*ticks, *others)


def make_log(dice: Random, stripe_count: int) -> Log:
    """Return the log of the runs: producers interleaved, said again, some values broken."""
    log: Log = {}
    cut_off = (dice.randint(0, 4), dice.randint(1, 4), 4, 4, 4)
    for run_id, beat_count in RUNS:
        said = []
        for number, lane in enumerate(lanes(run_id, beat_count)):
            whole = lane[: cut_off[number]] if run_id == CUT_OFF else lane
            crash = dice.randint(0, len(whole))
            said.append([*whole[:crash], *whole[dice.randint(0, crash) :]])
        *straight, orders_0, orders_1 = said
        order = [orders_0] * len(orders_0) + [orders_1] * len(orders_1)
        dice.shuffle(order)
        rest = {id(part): iter(part) for part in (orders_0, orders_1)}
        mixed = [next(rest[id(part)]) for part in order]
        for message in chain(*straight, mixed):
            striped = on_its_stripe(message, stripe_count)
            place = TopicPartition(striped.topic, striped.partition)
            log.setdefault(place, []).append(striped)
    broken = dice.choice(log[dice.choice(sorted(log))]).headers
    return {
        place: [
            replace(
                message,
                offset=offset,
                value=BAD_VALUE if message.headers == broken else message.value,
            )
            for offset, message in enumerate(messages)
        ]
        for place, messages in log.items()
    }


def on_its_stripe(message: Message, stripe_count: int) -> Message:
    """Return a message where a deployment of so many stripes has it."""
    topic = STRIPED_TOPICS.get(message.topic)
    if topic is None:
        return message
    stripe = stripe_of(topic, message.partition, origin_of(message).beat, stripe_count)
    return replace(message, partition=stripe)


def outputs_in_log_order(log: Log, stripe_count: int) -> Output:
    """Return what a stage says that has the whole log before it starts."""
    core = StageCore(ToyProcessor(), stripe_count=stripe_count)
    for messages in log.values():
        for message in messages:
            core.receive(message)
    return take_all(core)


def take_all(core: StageCore) -> Output:
    """Take beats until one is not whole, and return what they said."""
    output: Output = []
    while result := core.advance():
        output += [(dict(m.headers)["ce_id"].decode(), m.value) for m in result.messages]
    return output


def first_of_each(output: Output) -> Output:
    """Drop repeats as every reader does, once they are the same bytes."""
    said: dict[str, bytes] = {}
    for name, value in output:
        assert said.setdefault(name, value) == value
    return list(said.items())


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([1, 1, 3]))
def test_core_any_interleaving_gives_the_same_outputs(seed: int, stripes: int) -> None:
    """Determinism: outcomes do not depend on how messages were timed."""
    dice = Random(seed)
    log = make_log(dice, stripes)
    picks = [place for place in sorted(log) for _ in log[place]]
    dice.shuffle(picks)
    core = StageCore(ToyProcessor(), stripe_count=stripes)
    sources = {place: iter(messages) for place, messages in log.items()}
    output: Output = []

    for place in picks:
        core.receive(next(sources[place]))
        output += take_all(core)

    assert output == outputs_in_log_order(log, stripes)
    assert len(output) >= 2 * sum(count for run_id, count in RUNS if run_id != CUT_OFF)


@settings(max_examples=100)
@given(st.integers(0, 2**32), st.sampled_from([1, 1, 3]))
def test_core_crashes_and_restores_anywhere_give_the_same_outputs(seed: int, stripes: int) -> None:
    """Exactly once, without transactions: snapshot, rewind, run again, drop repeats."""
    dice = Random(seed)
    log = make_log(dice, stripes)
    core = StageCore(ToyProcessor(), stripe_count=stripes)
    saved = encode_snapshot(core.snapshot())
    positions = core.positions()
    output: Output = []

    for _ in range(dice.randint(1, 6)):
        for _ in range(dice.randint(0, 40)):
            place = dice.choice(sorted(log))
            for message in log[place][positions[place] :][: dice.randint(1, 4)]:
                core.receive(message)
                positions[place] += 1
            if dice.random() < 0.5:
                output += take_all(core)
            if dice.random() < 0.2:
                saved = encode_snapshot(core.snapshot())
        core = StageCore(ToyProcessor(), stripe_count=stripes)
        core.restore(decode_snapshot(saved))
        positions = core.positions()
    for place, messages in log.items():
        for message in messages[positions[place] :]:
            core.receive(message)
    output += take_all(core)

    assert first_of_each(output) == outputs_in_log_order(log, stripes)
