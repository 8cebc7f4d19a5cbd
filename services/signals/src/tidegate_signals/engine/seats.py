"""A run's strategies at work: what each reads, when it is asked, and what it answered."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from tidegate_common.domain.units import Float64Array, Int64Array
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import StrategySpec
from tidegate_common.frames.frame import BeatStamp, ScoreBatch, no_reasons
from tidegate_signals.engine.features.board import FeatureBoard
from tidegate_signals.engine.features.instruments import INSTRUMENT_END
from tidegate_signals.engine.features.observations import Observations
from tidegate_signals.engine.features.spec import Field, InputSpec, Period
from tidegate_signals.engine.millionths import raw_millionths, reason_millionths, to_millionths
from tidegate_signals.engine.strategies.registry import inputs_of, make_strategy, period_of
from tidegate_signals.engine.strategies.strategy import Day, Opinions, Strategy, View

_FIELDS = {field.name: field for field in Field}


@dataclass(frozen=True, slots=True)
class Seat:
    """One strategy of a run.

    number : place among the run's strategies.
    period : it is asked when this is fed, about what was observed then.
    indicators, fields : its inputs by the names that it gave them.
    """

    number: int
    name: str
    strategy: Strategy
    period: Period
    indicators: Mapping[str, InputSpec]
    fields: Mapping[str, Field]

    @classmethod
    def take(cls, number: int, spec: StrategySpec, kinds: Mapping[str, type[Strategy]]) -> Self:
        """Return the seat of a run's strategy.

        Raises
        ------
        ConfigError
            If there is no such strategy, or its parameters, period or inputs are wrong.
        """
        strategy = make_strategy(spec, kinds)
        inputs = inputs_of(spec, strategy)
        fields = {
            name: _FIELDS[each.indicator.name]
            for name, each in inputs.items()
            if each.indicator.name in _FIELDS
        }
        indicators = {name: each for name, each in inputs.items() if name not in fields}
        period = period_of(spec, type(strategy))
        return cls(number, spec.name, strategy, period, indicators, fields)

    def ask(self, day: Day, board: FeatureBoard, observations: Observations) -> Opinions:
        """Return what the strategy thinks of what was just observed.

        Raises
        ------
        ConfigError
            If it does not answer with one float64 an instrument.
        """
        values: dict[str, Float64Array] = {
            name: board.read(each, observations.rows) for name, each in self.indicators.items()
        }
        for name, field in self.fields.items():
            values[name] = observations.columns[field]
        # What divides by zero or grows too large is no finite number, and so no opinion.
        with np.errstate(all="ignore"):
            opinions = self.strategy.score(View(day, values))
        expected = observations.columns[Field.CLOSE].shape
        for name, column in {"score": opinions.score, **opinions.reasons}.items():
            if column.shape != expected or column.dtype != np.float64:
                message = (
                    f"{self.name}: {name} must be float64 of shape {expected}, was "
                    f"{column.dtype} of shape {column.shape}"
                )
                raise ConfigError(message)
        if tuple(opinions.reasons) != self.strategy.reasons:
            message = (
                f"{self.name}: reasons must be {self.strategy.reasons}, "
                f"were {tuple(opinions.reasons)}"
            )
            raise ConfigError(message)
        return opinions


@dataclass(frozen=True, slots=True)
class Answer:
    """The finite opinions of one seat in one beat, (n,) and (n, REASONS_MAX)."""

    seat: Seat
    instrument: Int64Array
    score_e6: Int64Array
    reason_e6: Int64Array


def answer_of(seat: Seat, instruments: Int64Array, opinions: Opinions) -> Answer:
    """Return opinions as they leave: finite ones only, in millionths."""
    score, reasons = opinions.score, list(opinions.reasons.values())
    is_opinion = np.isfinite(score)
    if not is_opinion.all():
        instruments, score = instruments[is_opinion], score[is_opinion]
        reasons = [column[is_opinion] for column in reasons]
    convert = raw_millionths if seat.strategy.IS_RANKED else to_millionths
    reason_e6 = no_reasons(len(score))
    for place, column in enumerate(reasons):
        reason_e6[:, place] = reason_millionths(column)
    return Answer(seat, instruments, convert(score), reason_e6)


def batch_of(
    stamp: BeatStamp,
    shard: int,
    seats: Iterable[Seat],
    answers: Iterable[Answer],
) -> ScoreBatch:
    """Return the score batch of a beat.

    Parameters
    ----------
    answers : as they were given; of two of one seat about an instrument, on two bars that a beat
        completed, the later one counts.
    """
    known = tuple(seats)
    given = list(answers)
    none = np.zeros(0, np.int64)
    strategy = np.concatenate(
        [none, *(np.full(len(each.instrument), each.seat.number) for each in given)],
    )
    instrument = np.concatenate([none, *(each.instrument for each in given)])
    score_e6 = np.concatenate([none, *(each.score_e6 for each in given)])
    reason_e6 = np.concatenate([no_reasons(0), *(each.reason_e6 for each in given)])
    # One number to sort by: no instrument reaches the step.
    key = strategy * INSTRUMENT_END + instrument
    if (key[1:] <= key[:-1]).any():
        order = np.argsort(key, kind="stable")
        # Of equal keys the last one, which is the one that the next key is above.
        order = order[np.append(np.diff(key[order]) > 0, np.True_)]
        strategy, instrument = strategy[order], instrument[order]
        score_e6, reason_e6 = score_e6[order], reason_e6[order]
    return ScoreBatch(
        stamp=stamp,
        shard=shard,
        strategies=tuple(seat.name for seat in known),
        strategy=strategy,
        instrument=instrument,
        score_e6=score_e6,
        reason_names=tuple(seat.strategy.reasons for seat in known),
        is_ranked=tuple(seat.strategy.IS_RANKED for seat in known),
        reason_e6=reason_e6,
    )
