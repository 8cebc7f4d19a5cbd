"""Options into a run's settings."""

from pathlib import Path

import pytest

from tidegate_cli.compose import (
    MAX_WAIT_MS_MAX,
    RunOptions,
    check_patience,
    compose_run,
    find_config_dir,
    parse_cash,
    parse_log_level,
    parse_speed,
    parse_start,
)
from tidegate_common.clock import ManualClock
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import RiskLimits, SyntheticSpec

# 2023-02-01 09:30:00 in Shanghai.
OPENING_NS = 1_675_215_000 * 10**9
BARS = "date,code,open,high,low,close,preclose,volume,amount,tradestatus,isST\n"
BAR = "2024-01-02,sh.600000,10,10,10,10,10,100,1000,1,0\n"


def test_compose_run_without_options_is_one_account_on_a_synthetic_market() -> None:
    """`tidegate up` alone must show something."""
    spec = compose_run(RunOptions(), ManualClock(OPENING_NS))

    assert spec.feed.synthetic == SyntheticSpec(seed=7, instrument_count=300)
    assert spec.feed.files == ()
    assert [each.name for each in spec.strategies] == ["book_imbalance"]
    assert [(each.account_id, each.cash_fen) for each in spec.accounts] == [("A001", 500_000_000)]


def test_compose_run_gives_accounts_their_own_limits(tmp_path: Path) -> None:
    """The others have the run's."""
    path = tmp_path / "mine.yaml"
    path.write_text("version: 1\naccounts: {A002: {position_bps_max: 7}}\n", encoding="utf-8")

    spec = compose_run(RunOptions(accounts=2, limits=str(path)), ManualClock())

    own = [each.limits for each in spec.accounts]
    assert own == [None, RiskLimits(position_bps_max=7)]


def test_compose_run_capital_of_a_foreign_strategy_is_refused(tmp_path: Path) -> None:
    """It would lie idle, and nobody would know why."""
    path = tmp_path / "mine.yaml"
    text = "version: 1\nconstruction: {capital_bps: {momentum: 10}}\n"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"momentum is not in the run, .* are book_imbalance$"):
        compose_run(RunOptions(limits=str(path)), ManualClock())


def test_compose_run_limits_of_a_foreign_account_are_refused(tmp_path: Path) -> None:
    """A limit that is silently not applied costs money."""
    path = tmp_path / "mine.yaml"
    path.write_text("version: 1\naccounts: {A003: {}}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"^limits: account A003 is not in the run, .* A002$"):
        compose_run(RunOptions(accounts=2, limits=str(path)), ManualClock())


def test_compose_run_id_tells_shanghai_time_and_the_settings() -> None:
    """Ids sort by time, and other settings make another id."""
    clock = ManualClock(OPENING_NS)

    first = compose_run(RunOptions(), clock).run_id
    second = compose_run(RunOptions(seed=8), clock).run_id

    assert first.startswith("20230201-093000-")
    assert len(first) == len("20230201-093000-abcd")
    assert first == compose_run(RunOptions(), clock).run_id
    assert first != second


def test_compose_run_warm_up_days_are_part_of_the_run() -> None:
    """An outcome depends on when trading begins."""
    spec = compose_run(RunOptions(warmup_days=2, days=3), ManualClock())

    assert spec.warmup_days == 2


def test_compose_run_days_of_a_synthetic_market_are_generated() -> None:
    """--days means days of market, whatever the feed."""
    spec = compose_run(RunOptions(days=3, seed=11, instruments=5, beats=90), ManualClock())

    assert spec.feed.synthetic == SyntheticSpec(11, 5, day_count=3, beats_per_day=90)
    assert spec.seed == 11


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RunOptions(instruments=5_501), "--instruments must be from 1 to 5500, was 5501"),
        (RunOptions(beats=0), "--beats must be from 1 to 100000, was 0"),
    ],
)
def test_compose_run_refuses_a_market_of_no_size(options: RunOptions, message: str) -> None:
    """One line before a stack is started for it."""
    with pytest.raises(ConfigError, match=message):
        compose_run(options, ManualClock())


def test_compose_run_accounts_have_sortable_ids() -> None:
    """Ten accounts sort as they are numbered."""
    spec = compose_run(RunOptions(accounts=10, cash="1000.50"), ManualClock())

    ids = [each.account_id for each in spec.accounts]
    assert ids[0] == "A001"
    assert ids == sorted(ids)
    assert {each.cash_fen for each in spec.accounts} == {100_050}


def test_compose_run_daily_bars_take_the_strategy_for_bars(tmp_path: Path) -> None:
    """A book strategy has nothing to say about bars."""
    path = tmp_path / "bars.csv"
    path.write_text(BARS + BAR, encoding="utf-8")

    spec = compose_run(RunOptions(files=(str(path),), days=250), ManualClock())

    assert [each.name for each in spec.strategies] == ["ma_cross"]
    assert spec.feed.day_count_max == 250
    assert spec.feed.files[0].path == str(path)
    assert spec.feed.synthetic is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RunOptions(accounts=0), "--accounts must be from 1 to 999, was 0"),
        (RunOptions(days=-1), "--days must be from 0"),
        (RunOptions(warmup_days=-1), "--warmup-days must be from 0"),
        (
            RunOptions(warmup_days=3, days=3),
            "--warmup-days must be below the days of the run, 3, was 3",
        ),
        (RunOptions(warmup_days=1), "--warmup-days must be below the days of the run, 1, was 1"),
        (RunOptions(seed=-1), "--seed must be from 0"),
        (RunOptions(run_id="a b"), "--run-id must be letters"),
        (RunOptions(strategies=("ma_cross", "ma_cross")), "found ma_cross twice"),
        (RunOptions(strategies=("nope",)), "nope"),
        (RunOptions(limits="nope"), "limits must be one of"),
        (RunOptions(files=("nope.parquet",)), "nope.parquet"),
    ],
)
def test_compose_run_wrong_option_is_a_config_error(options: RunOptions, message: str) -> None:
    """Each mistake is named before anything starts."""
    with pytest.raises(ConfigError, match=message):
        compose_run(options, ManualClock())


@pytest.mark.parametrize(
    ("text", "fen"), [("1000000", 100_000_000), ("0.01", 1), ("1,000.5", 100_050), ("1e6", 10**8)]
)
def test_parse_cash_amount_becomes_whole_fen(text: str, fen: int) -> None:
    """Money is never a float, not even at the edge."""
    assert parse_cash(text) == fen


@pytest.mark.parametrize("text", ["0", "-1", "0.001", "abc", "", "NaN", "Infinity", "1e13"])
def test_parse_cash_no_amount_of_fen_is_refused(text: str) -> None:
    """A thousandth of a yuan is nobody's money."""
    with pytest.raises(ConfigError, match="--cash must be CNY"):
        parse_cash(text)


@pytest.mark.parametrize("text", ["1x", "60x", "max"])
def test_parse_speed_known_form_is_passed_on(text: str) -> None:
    """Ingest reads the same text."""
    assert parse_speed(text) == text


@pytest.mark.parametrize("text", ["0x", "fast", "x", "-1x", "1.5x"])
def test_parse_speed_other_text_is_refused(text: str) -> None:
    """Refused here, before any server starts."""
    with pytest.raises(ConfigError, match="--speed must be max or"):
        parse_speed(text)


def test_parse_log_level_unknown_one_is_refused() -> None:
    """Refused here, before any server starts."""
    assert parse_log_level("info") == "info"
    with pytest.raises(ConfigError, match="--log-level must be one of"):
        parse_log_level("loud")


def test_find_config_dir_chosen_one_must_exist(tmp_path: Path) -> None:
    """A directory that was named is not quietly replaced."""
    assert find_config_dir(tmp_path) == tmp_path
    with pytest.raises(ConfigError, match="does not exist"):
        find_config_dir(tmp_path / "none")


@pytest.mark.parametrize("max_wait_ms", [0, 500, MAX_WAIT_MS_MAX])
def test_compose_run_time_to_wait_is_of_the_run(max_wait_ms: int) -> None:
    """Outcomes depend on it, so it travels with the run."""
    spec = compose_run(RunOptions(max_wait_ms=max_wait_ms), ManualClock())

    assert spec.max_wait_ms == max_wait_ms


@pytest.mark.parametrize("max_wait_ms", [-1, MAX_WAIT_MS_MAX + 1])
def test_compose_run_time_to_wait_out_of_range_is_refused(max_wait_ms: int) -> None:
    """Who would wait longer waits for ever."""
    with pytest.raises(ConfigError, match="--max-wait-ms must be from 0 to 60000, was"):
        compose_run(RunOptions(max_wait_ms=max_wait_ms), ManualClock())


def test_check_patience_at_full_speed_is_refused() -> None:
    """Nobody is late where who is slow sets the pace."""
    with pytest.raises(ConfigError, match="--max-wait-ms needs a paced run"):
        check_patience(max_wait_ms=1, speed="max")


@pytest.mark.parametrize(("max_wait_ms", "speed"), [(0, "max"), (0, "1x"), (500, "1x")])
def test_check_patience_of_a_paced_run_or_none_is_accepted(max_wait_ms: int, speed: str) -> None:
    """A replay waits for ever; a paced run may do either."""
    check_patience(max_wait_ms=max_wait_ms, speed=speed)


@pytest.mark.parametrize(
    ("text", "start_ns"),
    [("2023-02-01T09:30:00", OPENING_NS), ("2023-02-01", OPENING_NS - 34_200 * 10**9)],
)
def test_parse_start_of_a_day_or_a_time_is_shanghais(text: str, start_ns: int) -> None:
    """A day begins at midnight."""
    assert parse_start(text) == start_ns


@pytest.mark.parametrize(
    "text",
    ["", "noon", "1989-01-01", "2023-02-30", "2023-02-01T10:00+00:00", "2023-02-01T10:00:00.5"],
)
def test_parse_start_of_what_is_no_time_is_a_config_error(text: str) -> None:
    """Whoever names a time zone means another one."""
    with pytest.raises(ConfigError, match="--from must be a day or a day and a time"):
        parse_start(text)


def test_compose_run_from_a_day_on_says_so_in_the_feed(tmp_path: Path) -> None:
    """Another part of the files is another run."""
    path = tmp_path / "daily.csv"
    path.write_text(BARS + BAR, encoding="utf-8")

    spec = compose_run(RunOptions(files=(str(path),), start="2023-02-01"), ManualClock(OPENING_NS))

    assert spec.feed.start_ts_ns == OPENING_NS - 34_200 * 10**9
    assert [each.name for each in spec.strategies] == ["ma_cross"]


def test_compose_run_of_a_synthetic_market_from_a_day_on_is_refused() -> None:
    """It begins where it begins."""
    with pytest.raises(ConfigError, match="--from needs recorded files"):
        compose_run(RunOptions(start="2023-02-01"), ManualClock(OPENING_NS))


def test_compose_run_with_a_reference_names_it_by_its_content(tmp_path: Path) -> None:
    """The same dividends in every process, and in a later verify."""
    bars, reference = tmp_path / "bars.csv", tmp_path / "reference.csv"
    bars.write_text(BARS + BAR, encoding="utf-8")
    reference.write_text("symbol,date,cash\n600000.SH,2024-01-02,0.1\n", encoding="utf-8")
    options = RunOptions(files=(str(bars),), reference=str(reference))

    feed = compose_run(options, ManualClock()).feed

    assert feed.reference is not None
    assert feed.reference.path == str(reference)
    assert len(feed.reference.sha256) == 64


def test_compose_run_of_a_live_feed_takes_a_reference(tmp_path: Path) -> None:
    """Quote services say no dividends."""
    reference = tmp_path / "reference.csv"
    reference.write_text("symbol,date,is_st\n600000.SH,2024-01-02,1\n", encoding="utf-8")
    options = RunOptions(live="sina", symbols=("600000.SH",), reference=str(reference))

    feed = compose_run(options, ManualClock()).feed

    assert feed.reference is not None


def test_compose_run_of_a_synthetic_market_refuses_a_reference() -> None:
    """Its shares are not those that the file means."""
    with pytest.raises(ConfigError, match="--reference is for recorded and live quotes"):
        compose_run(RunOptions(reference="reference.csv"), ManualClock())
