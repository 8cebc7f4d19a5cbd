"""Chance is whole numbers, the same everywhere, of the shape that it says."""

import numpy as np

from tidegate_ingest.engine.synthetic.chance import (
    BELL_DEVIATION,
    EXP_ONE,
    EXPONENTIAL,
    LOG_ONE,
    Chance,
    Purpose,
    exponential_of,
)
from tidegate_ingest.engine.synthetic.memory import Memory, Wave, mean_square_log


def test_chance_of_a_key_says_what_it_has_always_said() -> None:
    """A stream that changed with numpy or a machine would change every market."""
    chance = Chance(7, Purpose.TICKS, 3)

    assert chance.words(1, 4).tolist() == [[32040, 13606, 63323, 31358]]
    assert chance.octets(1, 4).tolist() == [[230, 151, 169, 181]]


def test_chance_of_other_keys_is_another() -> None:
    """Half a seed, a purpose or a day more: nothing in common."""
    keys = (
        (7, Purpose.TICKS, 0),
        (7, Purpose.TICKS, 1),
        (7, Purpose.DAYS, 0),
        (8, Purpose.TICKS, 0),
        (7 + (1 << 32), Purpose.TICKS, 0),
    )

    assert len({Chance(*key).words(1, 8).tobytes() for key in keys}) == len(keys)


def test_chance_bells_have_the_deviation_of_their_name() -> None:
    """About two in three within one deviation, none beyond three and a half."""
    bells = Chance(7, Purpose.DAYS).bells(1, 20_000)[0] / BELL_DEVIATION

    assert abs(bells.mean()) < 0.03
    assert abs(bells.std() - 1) < 0.03
    assert 3 < np.abs(bells).max() < 3.5


def test_chance_between_has_both_ends_and_not_more() -> None:
    """The upper end is not drawn."""
    drawn = Chance(7, Purpose.DAYS).between(-2, 3, 1_000)

    assert set(drawn.tolist()) == {-2, -1, 0, 1, 2}


def test_exponential_of_whole_logarithms_is_e_to_them() -> None:
    """To 1/65,536, and cut at five either way."""
    logs = np.array([-9, -5, 0, 1, 5, 9]) * LOG_ONE

    values = exponential_of(logs) / EXP_ONE

    assert np.allclose(values, np.exp([-5, -5, 0, 1, 5, 5]), atol=1 / EXP_ONE)


def test_exponential_draws_fall_from_octet_to_octet_around_their_mean() -> None:
    """Of mean 1 in 1/256, nearly: the rarest are cut."""
    assert (np.diff(EXPONENTIAL) <= 0).all()
    assert abs(EXPONENTIAL.mean() / 256 - 1) < 0.01


def test_wave_of_memories_keeps_its_deviation() -> None:
    """What a day forgets is what comes new."""
    memories = (Memory(kept=4_000, deviation=1_000), Memory(kept=2_000, deviation=1_000))
    chance = Chance(7, Purpose.DAYS)
    wave = Wave(memories, chance, 2_000)

    days = [wave.next(chance) for _ in range(20)]

    assert abs(days[0].std() - days[-1].std()) < 100
    assert abs(days[-1].std() / 2**0.5 - 1_000) < 50
    assert mean_square_log(memories) == 2_000_000 // LOG_ONE
