"""`tidegate rules` for one share: what it prints, and what it refuses in one line."""

import io
import json

import pytest
from rich.console import Console

from tidegate_cli.__main__ import run
from tidegate_cli.rules.command import RuleWords, ask
from tidegate_cli.rules.question import read_price_e4, read_risk_warning, read_status
from tidegate_cli.rules.table import rules_table
from tidegate_common.domain.enums import Board, ListingStatus, RiskWarning
from tidegate_common.errors import ConfigError
from tidegate_common.market.answers import answer_json, price_text
from tidegate_common.market.calendar import xshg_calendar
from tidegate_common.market.dated import FIRST_DATE, LAST_DATE, Confidence
from tidegate_common.market.instruments import InstrumentRow, InstrumentTable
from tidegate_common.market.rulebook import RuleBook

KEYS = (
    *("board", "limit_state", "limit_up", "limit_down", "lot_min", "lot_step", "max_limit_order"),
    *("max_market_order", "price_tick", "cage", "sessions", "fees"),
)


def ask_json(capsys: pytest.CaptureFixture[str], command: str) -> dict[str, object]:
    """Return what `tidegate rules … --json` prints."""
    code = run(["rules", *command.split(), "--json"])

    captured = capsys.readouterr()
    assert (code, captured.err) == (0, "")
    document = json.loads(captured.out)
    assert isinstance(document, dict)
    return document


def ask_table(command: str, width: int) -> str:
    """Return what people see at a width."""
    words = command.split()
    answer = ask(RuleWords(words[0], words[1], words[2]), xshg_calendar())
    console = Console(file=io.StringIO(), width=width)
    console.print(answer.as_table())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_rules_json_of_an_ordinary_day_has_the_promised_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The issue's own example; programs rely on these names."""
    document = ask_json(capsys, "600519.SH --date 2023-02-01 --prev-close 1800.00")

    assert set(KEYS) <= set(document)
    assert document["board"] == "MAIN"
    assert document["limit_state"] == "LIMITED"
    assert (document["limit_up"], document["limit_down"]) == ("1980.00", "1620.00")
    assert (document["lot_min"], document["lot_step"]) == (100, 100)
    assert (document["max_limit_order"], document["max_market_order"]) == (1_000_000, 1_000_000)
    assert document["price_tick"] == "0.01"
    assert document["cage"] is None
    assert document["cage_state"] == "UNLIMITED"
    assert document["programme_trading"] is None


def test_rules_json_fees_carry_rate_side_source_and_confidence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A rate without its source cannot be checked; the commission is no rule."""
    document = ask_json(capsys, "600519.SH --date 2023-02-01 --prev-close 1800.00")

    fees = document["fees"]
    assert isinstance(fees, dict)
    assert {name: (fee["rate"], fee["side"]) for name, fee in fees.items()} == {
        "commission": (None, "both"),
        "stamp_duty": ("0.001", "sell"),
        "transfer_fee": ("0.00001", "both"),
        "handling_fee": ("0.0000487", "both"),
        "regulatory_fee": ("0.00002", "both"),
    }
    assert fees["stamp_duty"]["confidence"] == "A"
    assert fees["stamp_duty"]["effective_to"] == "2023-08-27"
    assert all(fee["source"] for fee in fees.values())


def test_rules_json_before_2012_charges_shanghai_s_transfer_fee_on_face_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Then both sides paid stamp duty too."""
    document = ask_json(capsys, "600000.SH --date 2008-05-05 --prev-close 30.00")

    fees = document["fees"]
    assert isinstance(fees, dict)
    assert fees["transfer_fee"]["basis"] == "face value"
    assert fees["stamp_duty"]["side"] == "both"


def test_rules_json_with_a_cage_tells_both_bounds_and_their_reference(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """After 2023-04-10: 2 %, at least ten ticks."""
    document = ask_json(capsys, "600519.SH --date 2023-04-10 --prev-close 3.00")

    assert document["cage"] == {
        "buy_cap": "3.10",
        "sell_floor": "2.90",
        "reference": "3.00",
        "rate_bps": 200,
        "floor_ticks": 10,
        "is_dormant": False,
    }


def test_rules_json_sessions_tell_clock_and_what_is_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From 09:20 nothing can be cancelled."""
    document = ask_json(capsys, "600519.SH --date 2023-02-01 --prev-close 1800.00")

    sessions = document["sessions"]
    assert isinstance(sessions, list)
    assert sessions[1] == {
        "phase": "OPEN_CALL_LOCKED",
        "start": "09:20",
        "end": "09:25",
        "can_submit": True,
        "can_cancel": False,
        "can_submit_fixed_price": False,
        "matching": "call_auction",
    }


@pytest.mark.parametrize(
    ("command", "state", "up"),
    [
        ("000010.SZ --date 2026-06-30 --prev-close 1.70 --st", "LIMITED", "1.79"),
        ("000010.SZ --date 2026-07-06 --prev-close 1.87 --st", "LIMITED", "2.06"),
        ("000010.SZ --date 2026-06-30 --prev-close 1.70 --status *ST", "LIMITED", "1.79"),
        ("600000.SH --date 2011-03-01 --prev-close 10 --st", "UNKNOWN", None),
        ("688981.SH --date 2020-07-16 --prev-close 27.46 --listed 2020-07-16", "UNLIMITED", None),
        ("688981.SH --date 20200723 --prev-close 76.2 --listed 20200716", "LIMITED", "91.44"),
        ("000792.SZ --date 2021-08-10 --prev-close 8.84 --status relisting", "UNLIMITED", None),
        ("000018.SZ --date 2019-11-26 --prev-close 0.74 --status delisting", "LIMITED", "0.81"),
        ("600000.SH --date 2023-06-01 --prev-close 1 --status delisted", "UNKNOWN", None),
        (
            "300001.SZ --date 20200827 --prev-close 1 --status delisting --status-since 20200803",
            "LIMITED",
            "1.10",
        ),
        (
            "300001.SZ --date 2023-06-01 --prev-close 1.00 --status delisting_first_day",
            "UNLIMITED",
            None,
        ),
        ("920002.BJ --date 2024-07-01 --prev-close 84.63", "LIMITED", "110.01"),
    ],
)
def test_rules_json_limit_follows_what_was_said_of_the_share(
    capsys: pytest.CaptureFixture[str],
    command: str,
    state: str,
    up: str | None,
) -> None:
    """Each word changes the answer; UNKNOWN and UNLIMITED are no number."""
    document = ask_json(capsys, command)

    assert (document["limit_state"], document["limit_up"]) == (state, up)


def test_rules_json_says_what_it_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    """An answer that stands on a guess must say so."""
    bare = ask_json(capsys, "600519.SH --date 2023-02-01 --prev-close 1800")
    full = ask_json(
        capsys, "600519.SH --date 2023-02-01 --prev-close 1800 --listed 2001-08-27 --st"
    )

    assert bare["listed"] is None
    assert len(bare["assumptions"]) == 2  # type: ignore[arg-type]  # a list, as JSON says
    assert full["listed"] == "2001-08-27"
    assert full["assumptions"] == []


def test_rules_json_before_a_board_existed_is_null_not_a_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """STAR opened on 2019-07-22."""
    document = ask_json(capsys, "688981.SH --date 2019-07-19 --prev-close 10")

    for key in ("limit_up", "lot_min", "lot_step", "max_limit_order", "max_market_order", "cage"):
        assert document[key] is None
    assert document["limit_state"] == "UNKNOWN"
    assert document["sessions"] is None


def test_rules_json_before_settlement_is_known_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the years before T+1 nothing is verified."""
    document = ask_json(capsys, "600000.SH --date 1994-01-04 --prev-close 10")

    assert document["settlement"] is None
    assert document["limit_state"] == "UNKNOWN"


def test_rules_json_bse_market_order_without_a_known_maximum_is_null(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No source gives it: 0 would look like a rule."""
    document = ask_json(capsys, "920002.BJ --date 2024-07-01 --prev-close 10")

    assert document["max_limit_order"] == 1_000_000
    assert document["max_market_order"] is None


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("command", "texts"),
    [
        (
            "600519.SH 2023-02-01 1800.00",
            ("1980.00 (+10%), 1620.00 (-10%)", "closing call", "sell 0.1%", "no --st"),
        ),
        ("688981.SH 2026-09-14 90.12", ("108.14", "buy up to 91.92", "AFTER_HOURS", "300 orders")),
        ("000010.SZ 2012-12-31 1.00", ("1.10", "0.00255% of turnover")),
        ("688981.SH 2019-07-19 10", ("UNKNOWN: no row",)),
        ("600000.SH 1994-01-04 10", ("UNKNOWN: no row",)),
        ("920002.BJ 2024-07-01 10", ("no maximum known: refused",)),
    ],
)
def test_rules_table_fits_and_tells_values_with_sources(
    command: str,
    texts: tuple[str, ...],
    width: int,
) -> None:
    """A person reads it in a terminal of 80 columns as in one of 120."""
    shown = ask_table(command, width)

    assert max(map(len, shown.splitlines())) <= width
    one_line = " ".join(shown.replace("│", " ").split())
    first_words = [text.split()[0] for text in texts]
    assert all(word in one_line for word in first_words)
    if width > 80:
        assert all(text in one_line for text in texts)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("000010.SZ --date 2023-06-01 --prev-close 2.00 --st", "500,000"),
        ("688981.SH --date 2020-07-16 --prev-close 27.46 --listed 2020-07-16", "UNLIMITED"),
    ],
)
def test_rules_table_shows_what_holds_for_few(
    capsys: pytest.CaptureFixture[str],
    command: str,
    text: str,
) -> None:
    """The cap on buys under risk warning, and a day without a limit: no empty cell."""
    code = run(["rules", *command.split()])

    assert code == 0
    assert text in capsys.readouterr().out


def test_rules_table_tells_after_hours_orders_only_where_there_are_any() -> None:
    """On the main board since 2026-07-06: before it a maximum would speak of nothing."""
    before = ask_table("600519.SH 2026-07-03 1800", 120)
    since = ask_table("600519.SH 2026-07-06 1800", 120)

    assert "after hours" not in before
    assert "after hours" in since


@pytest.mark.parametrize(
    ("command", "limits"),
    [
        ("510300.SH --board etf --date 2026-09-14 --prev-close 4.123", ("4.535", "3.711")),
        ("159915.SZ --board ETF_GROWTH --date 2020-08-21 --prev-close 2", ("2.200", "1.800")),
        ("159915.SZ --board etf-growth --date 2020-08-24 --prev-close 2", ("2.400", "1.600")),
    ],
)
def test_rules_json_of_a_fund_follows_the_board_that_its_code_does_not_tell(
    capsys: pytest.CaptureFixture[str],
    command: str,
    limits: tuple[str, str],
) -> None:
    """Three decimals, 20 % for growth funds since ChiNext's reform; T+1 unless somebody knows."""
    document = ask_json(capsys, command)

    assert (document["limit_up"], document["limit_down"]) == limits
    assert document["price_tick"] == "0.001"
    assert document["assumptions"] == [
        "listed long ago: no --listed was given",
        "not sellable on the day it is bought: some funds are",
    ]


def test_answers_about_a_stranger_are_unknown_throughout() -> None:
    """The table and the JSON never fail on what the rule book does not know."""
    book = RuleBook(InstrumentTable((), xshg_calendar()), xshg_calendar())
    rules = book.on(1_900_901, 2023_02_01, prev_close_e4=100_000)
    console = Console(file=io.StringIO(), width=120)

    console.print(rules_table(rules))
    document = answer_json(rules)

    assert isinstance(console.file, io.StringIO)
    assert "UNKNOWN: no row for this day" in console.file.getvalue()
    assert (document["limit_state"], document["cage_state"]) == ("UNKNOWN", "UNKNOWN")
    assert (document["limit_up"], document["lot_min"], document["cage"]) == (None, None, None)


def test_answer_json_of_a_fund_has_three_decimals_and_no_stamp_duty() -> None:
    """Funds come from an instrument table, never from a prefix."""
    calendar = xshg_calendar()
    row = InstrumentRow(
        instrument=1_510_300,
        effective_from=FIRST_DATE,
        effective_to=LAST_DATE,
        board=Board.ETF,
        status=ListingStatus.LISTED,
        risk_warning=RiskWarning.NO,
        listed=1,
        has_same_day_resale=False,
        source="test",
        confidence=Confidence.A,
    )
    book = RuleBook(InstrumentTable((row,), calendar), calendar)

    document = answer_json(book.on(row.instrument, 2023_02_01, prev_close_e4=31_410))

    assert document["limit_up"] == "3.455"
    fees = document["fees"]
    assert isinstance(fees, dict)
    assert (fees["stamp_duty"]["rate"], fees["stamp_duty"]["side"]) == ("0", "sell")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("600519 --date 2023-02-01 --prev-close 1", "instrument must look like 600519.SH"),
        ("900901.SH --date 2023-02-01 --prev-close 1", "whose board is unknown"),
        ("510300.SH --date 2023-02-01 --prev-close 1", "a fund is asked one by one, with --board"),
        ("510300.SH --board main --date 2023-02-01 --prev-close 1", "must be etf or etf_growth"),
        ("600519.SH --board etf --date 2023-02-01 --prev-close 1", "was given for 600519.SH"),
        ("510300.BJ --board etf --date 2023-02-01 --prev-close 1", "was given for 510300.BJ"),
        (
            "600519.SH --date 2023-02-04 --prev-close 1",
            "was 2023-02-04; nearest: 2023-02-03 and 2023-02-06",
        ),
        ("600519.SH --date 2027-02-04 --prev-close 1", "it covers 1990-12-19 to 2026-12-31"),
        ("600519.SH --date 2023-2-1 --prev-close 1", "--date must be a date like 2023-02-01"),
        ("600519.SH --date 2023-02-30 --prev-close 1", "--date must be a date like 2023-02-01"),
        ("600519.SH --date 2023-02-01 --prev-close 0", "prev_close must be a price"),
        ("600519.SH --date 2023-02-01 --prev-close 1.005", "a multiple of 0.01"),
        ("600519.SH --date 2023-02-01 --prev-close 1e999999999", "prev_close must be a price"),
        ("600519.SH --date 2023-02-01 --prev-close x", "prev_close must be a price"),
        (
            "600519.SH --date 2023-02-01 --prev-close 1 --listed 2023-02-02",
            "listed must not be after 2023-02-01, was 2023-02-02",
        ),
        (
            "600519.SH --date 2023-02-01 --prev-close 1 --status st --status-since 2023-02-02",
            "status_since must not be after 2023-02-01",
        ),
        (
            "600519.SH --date 2023-02-01 --prev-close 1 --status-since 2023-01-03",
            "--status-since says since when --status holds, and needs it",
        ),
        ("600519.SH --date 2023-02-01 --prev-close 1 --listed x", "listed must be a date"),
        ("600519.SH --date 2023-02-01 --prev-close 1 --status x", "status must be one of listed"),
        ("600519.SH --date 2023-02-01", "rules needs either INSTRUMENT"),
        ("--csv in.csv", "rules needs either INSTRUMENT"),
        ("600519.SH --csv in.csv --out out.csv", "rules needs either INSTRUMENT"),
        (
            "600519.SH --date 2023-02-01 --prev-close 1 --out out.csv",
            "rules needs either INSTRUMENT",
        ),
    ],
)
def test_rules_mistake_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
    command: str,
    message: str,
) -> None:
    """What was expected and what was found, and no traceback."""
    code = run(["rules", *command.split()])

    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("tidegate: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_read_price_e4_with_noise_of_floating_point_is_the_price() -> None:
    """15.929999999999999 is how files write 15.93."""
    assert read_price_e4("15.929999999999999", tick_e4=100) == 159_300


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", RiskWarning.YES), ("False", RiskWarning.NO), ("", RiskWarning.NO)],
)
def test_read_risk_warning_takes_the_usual_flags(text: str, expected: RiskWarning) -> None:
    """Files write flags in many ways."""
    assert read_risk_warning(text) is expected


def test_read_risk_warning_of_another_word_raises() -> None:
    """A flag that is misread halves or doubles a limit."""
    with pytest.raises(ConfigError, match="is_st must be 0, 1, true, false"):
        read_risk_warning("maybe")


def test_read_status_folds_case_blanks_and_hyphens() -> None:
    """`Not listed` and `not-listed` mean what `not_listed` means."""
    assert read_status(" Not listed ").status is ListingStatus.NOT_LISTED
    assert read_status("").status is ListingStatus.LISTED


def test_price_text_has_the_decimals_of_its_tick() -> None:
    """A share's price has two, a fund's three."""
    assert price_text(19_800_000, 100) == "1980.00"
    assert price_text(31_410, 10) == "3.141"
