"""What people tell risk to do with accounts: states, limits, and what becomes of open orders."""

from dataclasses import replace

import pytest
from msgspec import structs
from tests.unit.risk.scenario import (
    BANK,
    LIQUOR,
    LOOSE,
    Quote,
    Reference,
    Stage,
    control_request,
    fill_of,
    order_request,
    update_of,
)

from tidegate_common.domain.enums import (
    AccountState,
    ControlCommand,
    Layer,
    OrderStatus,
    Outcome,
    Reason,
    Side,
)
from tidegate_common.domain.ids import RequestId, risk_partition_of
from tidegate_common.events.orders import RequestEnvelope
from tidegate_common.events.run import RISK_LIMIT_RANGES, RiskLimits
from tidegate_risk.engine.engine import RiskEngine

ACTIVE, REDUCING, HALTED = AccountState
HALT, REDUCE, RESUME, SET_LIMITS = ControlCommand

NINE_TWENTY = 33_600
HALF_PAST_NINE = 34_200
LUNCH = 41_400
ONE_O_CLOCK = 46_800

# Commands in their order, each with its account (None for all) and the state that it leaves.
STORIES = (
    ((HALT, "alpha", HALTED),),
    ((HALT, None, HALTED),),
    ((REDUCE, "alpha", REDUCING),),
    ((REDUCE, None, REDUCING),),
    ((HALT, "alpha", HALTED), (RESUME, "alpha", ACTIVE)),
    ((HALT, "alpha", HALTED), (RESUME, None, ACTIVE)),
    ((HALT, None, HALTED), (RESUME, None, ACTIVE)),
    ((REDUCE, "alpha", REDUCING), (RESUME, None, ACTIVE)),
    # What was said to all is lifted for all.
    ((HALT, None, HALTED), (RESUME, "alpha", HALTED)),
    ((REDUCE, None, REDUCING), (RESUME, "alpha", REDUCING)),
    # The strictest command stands.
    ((HALT, "alpha", HALTED), (REDUCE, "alpha", HALTED)),
    ((HALT, None, HALTED), (REDUCE, None, HALTED)),
    ((REDUCE, "alpha", REDUCING), (HALT, "alpha", HALTED)),
    ((REDUCE, None, REDUCING), (HALT, "alpha", HALTED), (RESUME, "alpha", REDUCING)),
    ((HALT, None, HALTED), (REDUCE, "alpha", HALTED), (RESUME, None, ACTIVE)),
)


def commands(*pairs: tuple[ControlCommand, str | None]) -> tuple[RequestEnvelope, ...]:
    """Return commands with ids of their own."""
    return tuple(
        control_request(command, account, request=f"c{number}")
        for number, (command, account) in enumerate(pairs)
    )


def opened(**changes: object) -> Stage:
    """Return a stage whose day has begun."""
    stage = Stage(**changes)  # type: ignore[arg-type]  # by name
    stage.open()
    return stage


def breached() -> Stage:
    """Return a stage that lost 8% of the day's opening NAV; 3% is its limit."""
    stage = Stage(cash_fen=5_000_000, limits=replace(LOOSE, daily_loss_bps_max=300))
    stage.hold(10_000)
    stage.open()
    stage.tick(Quote(last_e4=36_000))
    return stage


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("is_one_beat", [True, False])
def test_commands_move_an_account_from_state_to_state(
    story: tuple[tuple[ControlCommand, str | None, AccountState], ...],
    is_one_beat: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """In one beat or one after another: each is obeyed in its turn, and answered."""
    stage = opened()
    said = commands(*((command, account) for command, account, _ in story))

    beats = [said] if is_one_beat else [(one,) for one in said]
    outputs = [stage.tick(requests=requests) for requests in beats]

    outcomes = [outcome for output in outputs for outcome in output.controls]
    states = [state for _, _, state in story]
    assert [outcome.state_before for outcome in outcomes] == [ACTIVE, *states[:-1]]
    assert [outcome.state_after for outcome in outcomes] == states
    assert {outcome.outcome for outcome in outcomes} == {Outcome.ACCEPTED}
    assert [outcome.is_for_all for outcome in outcomes] == [
        account is None for _, account, _ in story
    ]
    assert [books.state for books in outputs[-1].portfolios] == [states[-1]]


@pytest.mark.parametrize("account", ["alpha", None])
@pytest.mark.parametrize(
    ("command", "side", "reason"),
    [
        (HALT, Side.BUY, Reason.ACCOUNT_HALTED),
        (HALT, Side.SELL, Reason.ACCOUNT_HALTED),
        (REDUCE, Side.BUY, Reason.ACCOUNT_REDUCING),
        (REDUCE, Side.SELL, Reason.NONE),
        (RESUME, Side.BUY, Reason.NONE),
    ],
)
def test_command_holds_for_all_orders_of_its_beat_and_after(
    command: ControlCommand,
    side: Side,
    reason: Reason,
    account: str | None,
) -> None:
    """Also for an order that stood before it in the log: safety first."""
    stage = Stage()
    stage.hold(1_000)
    stage.open()
    orders = tuple(
        order_request(request_id=RequestId(name), side=side) for name in ("one", "two", "three")
    )

    at_once = stage.tick(Quote(), requests=(*orders[:1], *commands((command, account)), orders[1]))
    later = stage.tick(Quote(), requests=orders[2:])

    decisions = (*at_once.decisions, *later.decisions)
    assert [decision.reason for decision in decisions] == [reason] * 3
    assert {decision.layer for decision in decisions} == {Layer.VALIDITY}


def test_command_stops_strategies_too() -> None:
    """A kill switch that lets programs trade on is none."""
    stage = opened()

    output = stage.tick(
        Quote(), scores={"cross": {BANK: 900_000}}, requests=commands((HALT, "alpha"))
    )

    assert [decision.reason for decision in output.decisions] == [Reason.ACCOUNT_HALTED]


def test_command_for_one_account_leaves_the_others_alone() -> None:
    """Accounts never look at one another."""
    stage = opened(accounts=("alpha", "beta"))

    output = stage.tick(requests=commands((HALT, "beta")), is_last=True)

    assert [books.state for books in output.portfolios] == [ACTIVE, HALTED]
    assert [outcome.account_id for outcome in output.controls] == ["beta"]


def test_command_for_all_is_answered_by_every_account_in_order() -> None:
    """So that it does not matter which engine holds which accounts."""
    stage = opened(accounts=("beta", "alpha"))

    output = stage.tick(requests=commands((HALT, "beta"), (REDUCE, None), (HALT, None)))

    found = [(each.account_id, each.sequence, each.request_id) for each in output.controls]
    assert found == [
        ("alpha", 0, "c1"),
        ("alpha", 1, "c2"),
        ("beta", 0, "c0"),
        ("beta", 1, "c1"),
        ("beta", 2, "c2"),
    ]
    assert {each.beat for each in output.controls} == {1}


@pytest.mark.parametrize("partition", [0, 1, 2])
def test_command_for_all_counts_for_the_accounts_of_its_partition(partition: int) -> None:
    """A copy may enter each partition at another beat, so each knows for whom it counts."""
    names = tuple(f"account{number}" for number in range(8))
    stage = opened(accounts=names)
    control = control_request(HALT, None).control
    assert control is not None
    share = structs.replace(control, risk_partition=partition, risk_partition_count=3)

    output = stage.tick(requests=(RequestEnvelope(control=share),))

    own = [name for name in names if risk_partition_of(name, 3) == partition]
    assert 0 < len(own) < len(names)
    assert [outcome.account_id for outcome in output.controls] == own


def test_command_said_twice_is_obeyed_once() -> None:
    """A HALT that comes again after its RESUME halts nothing."""
    stage = opened()
    halt, resume, again = (
        control_request(HALT, request="one"),
        control_request(RESUME, request="two"),
        control_request(HALT, request="one"),
    )

    output = stage.tick(requests=(halt, resume, again))

    last = output.controls[-1]
    assert (last.outcome, last.reason) == (Outcome.REJECTED, Reason.DUPLICATE_REQUEST)
    assert (last.state_before, last.state_after) == (ACTIVE, ACTIVE)
    assert output.portfolios[0].state is ACTIVE


def test_command_to_an_unknown_account_is_refused() -> None:
    """Who halts the wrong account has to hear of it."""
    stage = opened()

    output = stage.tick(requests=commands((HALT, "nobody")))

    (outcome,) = output.controls
    assert (outcome.account_id, outcome.sequence) == ("nobody", 0)
    assert (outcome.outcome, outcome.reason) == (Outcome.REJECTED, Reason.UNKNOWN_ACCOUNT)
    assert (outcome.state_before, outcome.state_after) == (HALTED, HALTED)
    assert output.portfolios == ()


@pytest.mark.parametrize(
    ("last_e4", "state", "reason"),
    [(40_000, ACTIVE, Reason.NONE), (36_000, REDUCING, Reason.DAILY_LOSS_LIMIT)],
)
def test_resume_lifts_a_latch_only_where_the_limit_holds_again(
    last_e4: int,
    state: AccountState,
    reason: Reason,
) -> None:
    """A word does not make good a loss."""
    stage = breached()

    output = stage.tick(
        Quote(last_e4=last_e4),
        requests=(*commands((RESUME, "alpha")), order_request(price_e4=last_e4)),
    )

    (outcome,) = output.controls
    assert (outcome.state_before, outcome.state_after) == (REDUCING, state)
    assert output.decisions[0].reason is reason


def test_resume_lifts_a_drawdown_of_days_before() -> None:
    """A person has looked at it."""
    stage = Stage(cash_fen=5_000_000, limits=replace(LOOSE, drawdown_bps_max=300))
    stage.hold(10_000)
    stage.open()
    stage.tick(Quote(last_e4=36_000))
    stage.close({BANK: 40_000})
    stage.open()

    output = stage.tick(Quote(), requests=commands((RESUME, None)))

    (outcome,) = output.controls
    assert (outcome.state_before, outcome.state_after) == (REDUCING, ACTIVE)


@pytest.mark.parametrize(("account", "state"), [(None, HALTED), ("alpha", ACTIVE)])
def test_resume_lifts_doubt_only_where_it_names_the_account(
    account: str | None,
    state: AccountState,
) -> None:
    """Books that contradict the exchange need a person who has looked at them."""
    stage = opened()
    order = stage.ask(Quote()).submits[0]
    update = update_of(order, OrderStatus.FILLED, filled_shares=99)
    stage.tick(fills=(fill_of(order),), updates=(update,))

    output = stage.tick(Quote(), requests=(*commands((RESUME, account)), order_request()))

    (outcome,) = output.controls
    assert (outcome.outcome, outcome.state_before) == (Outcome.ACCEPTED, HALTED)
    assert outcome.state_after is state
    expected = Reason.ACCOUNT_HALTED if state is HALTED else Reason.NONE
    assert output.decisions[0].reason is expected


def test_latched_breach_is_shown_in_its_beat() -> None:
    """Readers of the portfolio see a state as soon as it holds."""
    stage = Stage(cash_fen=5_000_000, limits=replace(LOOSE, daily_loss_bps_max=300))
    stage.hold(10_000)
    stage.open()

    outputs = [stage.tick(Quote(last_e4=last_e4)) for last_e4 in (39_900, 36_000, 35_900)]

    states = [[books.state for books in output.portfolios] for output in outputs]
    assert states == [[], [REDUCING], []]


@pytest.mark.parametrize(("bps", "reason"), [(40, Reason.NONE), (39, Reason.POSITION_LIMIT)])
def test_limits_that_are_set_hold_for_the_orders_of_their_beat(bps: int, reason: Reason) -> None:
    """100 shares at 4.00 are 0.4% of 100,000 CNY."""
    stage = opened(cash_fen=10_000_000)
    limits = replace(LOOSE, position_bps_max=bps)
    setting = control_request(SET_LIMITS, limits=limits)

    output = stage.tick(Quote(), requests=(order_request(), setting))

    assert output.decisions[0].reason is reason
    (outcome,) = output.controls
    assert (outcome.limits_before, outcome.limits_after) == (LOOSE, limits)
    assert (outcome.state_before, outcome.state_after) == (ACTIVE, ACTIVE)


def test_limits_that_are_set_latch_what_they_find_breached() -> None:
    """From the beat at which they enter, not from the next one; and wider ones free nobody."""
    stage = Stage()
    stage.hold(10_000)
    stage.open()
    stage.tick(Quote(last_e4=39_600))
    tight = control_request(SET_LIMITS, limits=replace(LOOSE, daily_loss_bps_max=0), request="a")
    wide = control_request(SET_LIMITS, limits=LOOSE, request="b")

    states = [stage.tick(requests=(each,)).controls[0].state_after for each in (tight, wide)]

    assert states == [REDUCING, REDUCING]


@pytest.mark.parametrize("name", RISK_LIMIT_RANGES)
@pytest.mark.parametrize(
    ("end", "beyond", "reason"),
    [
        (0, 0, Reason.NONE),
        (0, -1, Reason.BAD_LIMITS),
        (1, 0, Reason.NONE),
        (1, 1, Reason.BAD_LIMITS),
    ],
)
def test_limits_beyond_their_range_are_refused(
    name: str,
    end: int,
    beyond: int,
    reason: Reason,
) -> None:
    """One unit beyond: a limit that means nothing stops nothing."""
    stage = opened()
    limits = replace(LOOSE, **{name: RISK_LIMIT_RANGES[name][end] + beyond})

    output = stage.tick(requests=(control_request(SET_LIMITS, limits=limits),))

    (outcome,) = output.controls
    assert outcome.reason is reason
    assert outcome.limits_after == (limits if reason is Reason.NONE else None)
    assert outcome.limits_before == (LOOSE if reason is Reason.NONE else None)


def test_limits_that_are_missing_are_refused() -> None:
    """In doubt nothing changes."""
    stage = opened()

    output = stage.tick(requests=(control_request(SET_LIMITS),))

    assert [outcome.reason for outcome in output.controls] == [Reason.BAD_LIMITS]


def test_limits_of_another_command_mean_nothing() -> None:
    """A HALT halts, whatever comes with it."""
    stage = opened()

    output = stage.tick(requests=(control_request(HALT, limits=RiskLimits()),))

    (outcome,) = output.controls
    assert (outcome.state_after, outcome.limits_before, outcome.limits_after) == (
        HALTED,
        None,
        None,
    )
    assert output.portfolios[0].usage[0].limit_bps == LOOSE.position_bps_max


def test_every_limit_has_a_range() -> None:
    """A limit that is added has to be bounded."""
    assert set(RISK_LIMIT_RANGES) == set(RiskLimits.__slots__)


@pytest.mark.parametrize(
    ("account", "reason"), [("alpha", Reason.POSITION_LIMIT), ("beta", Reason.NONE)]
)
def test_account_with_limits_of_its_own_is_judged_by_them(account: str, reason: Reason) -> None:
    """The other accounts have the run's."""
    tight = replace(LOOSE, position_bps_max=1)
    stage = opened(accounts=("alpha", "beta"), own_limits={"alpha": tight})

    output = stage.ask(Quote(), account_id=account)

    assert output.decisions[0].reason is reason


def test_halt_cancels_every_open_order_once() -> None:
    """Buys and sells, of requests as of strategies; the exchange answers before the next beat."""
    stage = Stage()
    stage.hold(1_000)
    stage.open(Reference(), Reference(LIQUOR))
    buy = stage.ask(Quote(), price_e4=39_900).submits[0]
    sell = stage.ask(side=Side.SELL, price_e4=40_100).submits[0]
    scored = stage.tick(Quote(LIQUOR), scores={"cross": {LIQUOR: 900_000}}).submits[0]

    halted = stage.tick(requests=commands((HALT, "alpha")))
    ended = [update_of(order, OrderStatus.CANCELED) for order in (buy, sell, scored)]
    after = stage.tick(updates=tuple(ended))

    assert [cancel.order_id for cancel in halted.cancels] == [
        order.order_id for order in (buy, sell, scored)
    ]
    assert [cancel.sequence for cancel in halted.cancels] == [0, 1, 2]
    assert halted.portfolios[0].open_order_count == 3
    assert after.cancels == ()
    assert after.portfolios[0].open_order_count == 0


@pytest.mark.parametrize("seconds", [LUNCH, NINE_TWENTY])
def test_halt_cancels_when_the_exchange_takes_cancels(seconds: int) -> None:
    """Not in the locked part of the opening call, not at lunch: at the first beat after."""
    first = {LUNCH: ONE_O_CLOCK, NINE_TWENTY: HALF_PAST_NINE}[seconds]
    stage = opened()
    order = stage.ask(Quote(), seconds=seconds - 1).submits[0]

    outputs = [
        stage.tick(seconds=seconds, requests=commands((HALT, None))),
        stage.tick(seconds=first - 1),
        stage.tick(seconds=first),
    ]

    assert [[each.order_id for each in output.cancels] for output in outputs] == [
        [],
        [],
        [order.order_id],
    ]


def test_halt_cancels_again_what_still_works() -> None:
    """An answer that was lost must not leave an order alive."""
    stage = opened()
    stage.ask(Quote())
    counts = [len(stage.tick(requests=commands((HALT, "alpha"))).cancels)]

    counts.append(len(stage.tick().cancels))
    counts.append(len(stage.tick(requests=(control_request(RESUME, request="r"),)).cancels))

    assert counts == [1, 1, 0]


def test_reduce_leaves_open_orders_alone() -> None:
    """It says what may come, not what is there."""
    stage = opened()
    stage.ask(Quote())

    output = stage.tick(requests=commands((REDUCE, None)))

    assert output.cancels == ()


def test_restored_engine_remembers_commands_and_limits() -> None:
    """A restart must not let a halted account trade."""
    stage = opened(accounts=("alpha", "beta", "gamma"))
    limits = replace(LOOSE, position_bps_max=7)
    setting = control_request(SET_LIMITS, "beta", limits=limits, request="set")
    stage.tick(Quote(), requests=(*commands((HALT, "alpha"), (REDUCE, None)), setting))
    undisturbed = stage.engine

    stage.engine = RiskEngine(
        stage.spec, tuple(account.account_id for account in stage.spec.accounts)
    )
    stage.engine.restore(undisturbed.snapshot())

    assert stage.engine.snapshot().values == undisturbed.snapshot().values
    assert stage.engine.portfolios() == undisturbed.portfolios()
    assert [books.state for books in stage.engine.portfolios()] == [HALTED, REDUCING, REDUCING]
    again = stage.tick(requests=commands((RESUME, "alpha"), (REDUCE, None)))
    assert {outcome.reason for outcome in again.controls} == {Reason.DUPLICATE_REQUEST}
    assert again.controls[0].state_after is HALTED
