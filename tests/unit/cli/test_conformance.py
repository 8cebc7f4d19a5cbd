"""The rule book held against small recordings made for it: what is explained, and what is not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tidegate_cli.conformance.bars import DailyBars, read_bars, read_code
from tidegate_cli.conformance.daily import check_bars
from tidegate_cli.conformance.listings import read_listings
from tidegate_cli.conformance.quotes import (
    Quote,
    check_quotes,
    read_snapshot_quotes,
    read_tencent_quotes,
)
from tidegate_cli.conformance.recordings import Conformance, check_recordings
from tidegate_cli.conformance.report import conformance_lines, merge_rules
from tidegate_cli.conformance.statuses import StatusFact, instrument_table
from tidegate_common.domain.enums import ListingStage, ListingStatus, RiskWarning
from tidegate_common.domain.ids import parse_symbol
from tidegate_common.errors import ConfigError
from tidegate_common.market.calendar import xshg_calendar
from tidegate_common.market.dated import Confidence

CALENDAR = xshg_calendar()
SHARE, STAR_SHARE = parse_symbol("600519.SH"), parse_symbol("688981.SH")
LISTINGS: dict[int, int] = {SHARE: 2001_08_27, STAR_SHARE: 2020_07_16}
BAOSTOCK = "date,code,open,high,low,close,preclose,volume,amount,tradestatus,isST"
TUSHARE = "ts_code,trade_date,open,high,low,close,pre_close,vol,amount"
TENCENT_FIELDS = 50

# instrument, date, previous close, high, low, close
Day = tuple[int, int, int, int, int, int]
ORDINARY: Day = (SHARE, 2020_08_03, 100_000, 110_000, 90_000, 100_000)


def make_bars(
    *days: Day,
    flags: tuple[RiskWarning, ...] | None = None,
    name: str = "a.csv",
) -> DailyBars:
    """Return bars; not under risk warning unless said otherwise."""
    columns = np.array(days, dtype=np.int64).reshape(-1, 6).T
    return DailyBars(
        name=name,
        instrument=columns[0],
        trade_date=columns[1],
        prev_close_e4=columns[2],
        high_e4=columns[3],
        low_e4=columns[4],
        close_e4=columns[5],
        risk_warning=np.array(flags or [RiskWarning.NO] * len(days), dtype=np.uint8),
        suspended_count=0,
    )


def check(
    *days: Day,
    flags: tuple[RiskWarning, ...] | None = None,
    facts: tuple[StatusFact, ...] = (),
) -> Conformance:
    """Return what the rule book says of a file with these days."""
    bars = make_bars(*days, flags=flags)
    table = instrument_table([bars], listings=LISTINGS, calendar=CALENDAR, facts=facts)
    return Conformance((check_bars(bars, table),), ())


def tencent_line(symbol: str, name: str, state: str, prices: tuple[str, str, str]) -> str:
    """Return a line of Tencent's quotes with the fields that are read."""
    values = [""] * TENCENT_FIELDS
    values[1], values[2], values[30], values[40] = name, symbol[2:], "20221122115730", state
    values[4], values[47], values[48] = prices
    return f'v_{symbol}="{"~".join(values)}";\n'


def test_check_bars_day_within_its_limits_is_no_exception() -> None:
    """High and low on the limits themselves are within them, and counted."""
    (count,) = merge_rules(check(ORDINARY))

    assert (count.row_count, count.high_at_limit_count, count.low_at_limit_count) == (1, 1, 1)
    assert (count.exceptions, count.unexplained) == ((), ())


@pytest.mark.parametrize(("high_e4", "low_e4"), [(110_100, 95_000), (105_000, 89_900)])
def test_check_bars_day_one_tick_beyond_is_unexplained(high_e4: int, low_e4: int) -> None:
    """The check can fail: a limit that is a fen off shows."""
    (count,) = merge_rules(check((SHARE, 2020_08_03, 100_000, high_e4, low_e4, 100_000)))

    assert [(day.high_e4, day.low_e4) for day in count.unexplained] == [(high_e4, low_e4)]
    assert count.exceptions == ()


def test_check_bars_day_beyond_the_st_band_is_unexplained_for_an_st_share_only() -> None:
    """The flag of the file decides the band."""
    (count,) = merge_rules(check(ORDINARY, flags=(RiskWarning.YES,)))

    assert count.rule.stage is ListingStage.RISK_WARNING
    assert len(count.unexplained) == 1


def test_check_bars_first_days_beyond_the_plain_limit_are_explained() -> None:
    """Five days on STAR; the sixth has its limit."""
    days = CALENDAR.sessions[np.searchsorted(CALENDAR.sessions, 2020_07_16) :][:6].tolist()
    bars = [(STAR_SHARE, day, 100_000, 130_000, 100_000, 100_000) for day in days]

    first, later = sorted(
        merge_rules(check(*bars)), key=lambda count: count.rule.stage, reverse=True
    )

    assert first.rule.stage is ListingStage.FIRST_DAYS
    assert (len(first.exceptions), len(first.unexplained)) == (5, 0)
    assert (len(later.exceptions), len(later.unexplained)) == (0, 1)


def test_check_bars_share_that_may_be_st_is_held_against_the_wider_band() -> None:
    """UNKNOWN to the rule book, but not beyond both bands."""
    wide = (SHARE, 2020_08_04, 100_000, 110_100, 90_000, 100_000)
    days = (ORDINARY, wide, (SHARE, 2010_08_04, 100_000, 110_000, 90_000, 100_000))

    (count,) = merge_rules(check(*days, flags=(RiskWarning.UNKNOWN,) * 3))

    assert count.rule.stage is ListingStage.RISK_WARNING_IN_DOUBT
    assert count.row_count == 3
    assert [day.trade_date for day in count.unexplained] == [2020_08_04]


def test_check_bars_share_that_no_list_names_is_unexplained() -> None:
    """A listing date that is not known is UNKNOWN, never "long ago"."""
    stranger = (parse_symbol("600000.SH"), *ORDINARY[1:])

    report = check(stranger)

    (count,) = merge_rules(report)
    assert (count.rule.stage, count.rule.row) == (ListingStage.UNKNOWN, None)
    assert len(count.unexplained) == 1
    assert "unexplained**, MAIN UNKNOWN (1): 600000.SH 2020-08-03" in "\n".join(
        conformance_lines(report)
    )


def test_check_bars_ex_rights_day_is_explained_by_its_reference_price() -> None:
    """From 20.00 to a reference of 10.00: the close before would forbid every price of the day."""
    days = (
        (SHARE, 2020_08_03, 200_000, 200_000, 200_000, 200_000),
        (SHARE, 2020_08_04, 100_000, 105_000, 95_000, 100_000),
        (SHARE, 2020_08_05, 99_900, 100_000, 95_000, 100_000),
    )

    (file,) = check(*days).files

    assert file.ex_rights_count == 2
    assert [day.trade_date for day in file.ex_rights_exceptions] == [2020_08_04]


def test_check_bars_facts_cut_the_days_of_a_share() -> None:
    """A relisting is one day in the middle of an ordinary listing."""
    fact = StatusFact(SHARE, 2021_08_10, 2021_08_10, ListingStatus.RELISTING, "test", Confidence.C)
    days = tuple(
        (SHARE, date, 100_000, 150_000, 100_000, 100_000)
        for date in (2021_08_09, 2021_08_10, 2021_08_11)
    )

    report = check(*days, facts=(fact,))

    counts = merge_rules(report)
    explained = {count.rule.stage: len(count.exceptions) for count in counts}
    unexplained = {count.rule.stage: len(count.unexplained) for count in counts}
    assert explained == {ListingStage.ORDINARY: 0, ListingStage.RELISTING: 1}
    assert unexplained == {ListingStage.ORDINARY: 2, ListingStage.RELISTING: 0}
    assert "- MAIN RELISTING, none (1): 600519.SH 2021-08-10" in conformance_lines(report)


def test_check_bars_delisting_periods_go_by_the_day_on_which_they_began() -> None:
    """Two ChiNext shares on one day: 10 % for the period of before the reform, 20 % after it."""
    old, new = parse_symbol("300001.SZ"), parse_symbol("300002.SZ")
    facts = tuple(
        StatusFact(share, since, 2020_09_30, ListingStatus.DELISTING, "test", Confidence.C)
        for share, since in ((old, 2020_08_03), (new, 2020_08_25))
    )

    report = check(
        (old, 2020_08_27, 10_000, 11_000, 9_000, 10_000),
        (new, 2020_08_27, 10_000, 12_000, 8_000, 10_000),
        facts=facts,
    )

    found = {
        count.rule.row.value.up_bps: (count.row_count, count.high_at_limit_count)
        for count in merge_rules(report)
        if count.rule.row is not None
    }
    assert found == {1_000: (1, 1), 2_000: (1, 1)}


def test_instrument_table_flags_hold_between_days_and_not_beyond() -> None:
    """Before the first flag and after the last nobody knows."""
    flags = (RiskWarning.NO, RiskWarning.YES, RiskWarning.YES)
    dates = (2020_08_03, 2020_08_10, 2020_08_12)
    bars = make_bars(*((SHARE, date, *ORDINARY[2:]) for date in dates), flags=flags)

    table = instrument_table([bars], listings=LISTINGS, calendar=CALENDAR)

    asked = (2020_07_31, 2020_08_03, 2020_08_07, 2020_08_10, 2020_08_12, 2020_08_13)
    assert [table.status_on(SHARE, date).risk_warning for date in asked] == [
        *(RiskWarning.UNKNOWN, RiskWarning.NO, RiskWarning.NO),
        *(RiskWarning.YES, RiskWarning.YES, RiskWarning.UNKNOWN),
    ]


def test_instrument_table_files_that_contradict_one_another_raise() -> None:
    """One of the two is wrong, and nobody knows which."""
    one = make_bars(ORDINARY)
    other = make_bars(ORDINARY, flags=(RiskWarning.YES,))

    with pytest.raises(ConfigError, match=r"both yes and no \(600519.SH, 20200803\)"):
        instrument_table([one, other], listings=LISTINGS, calendar=CALENDAR)


def test_read_bars_leaves_suspended_days_out_and_counts_them(tmp_path: Path) -> None:
    """Nothing is traded on them, so nothing is held against a limit."""
    path = tmp_path / "a.csv"
    rows = "2020-08-03,sh.600519,10,11,9,10,10.05,1,1,1,1\n2020-08-04,sh.600519,1,1,1,1,1,0,0,0,0\n"
    path.write_text(f"{BAOSTOCK}\n{rows}")

    bars = read_bars(path)

    assert (len(bars), bars.suspended_count) == (1, 1)
    assert bars.prev_close_e4.tolist() == [100_500]
    assert bars.risk_warning.tolist() == [RiskWarning.YES]


def test_read_bars_of_tushare_does_not_know_who_is_st(tmp_path: Path) -> None:
    """A missing column is not a `no`."""
    path = tmp_path / "a.csv"
    path.write_text(f"{TUSHARE}\n600519.SH,20200803,10,11,9,10,10,1,1\n")

    bars = read_bars(path)

    assert bars.instrument.tolist() == [SHARE]
    assert bars.risk_warning.tolist() == [RiskWarning.UNKNOWN]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "one of: baostock daily, tushare daily, daily bars; found: a, b"),
        (f"{TUSHARE}\n600519,20200803,10,11,9,10,10,1,1\n", r"symbol must look like .*a\.csv\)"),
        (f"{TUSHARE}\n600519.SH,20200803,10,,9,10,10,1,1\n", r"high nan, .* \(row 1\) .*a\.csv\)"),
        (f"{TUSHARE}\n600519.SH,20200803,10,8,9,10,10,1,1\n", "low 9.0, high 8.0"),
        (f"{TUSHARE}\n600519.SH,20200803,10,11,9,10,,1,1\n", "previous close nan"),
        (f"{TUSHARE}\n600519.SH,2020,10,11,9,10,10,1,1\n", "date must be a date like"),
    ],
)
def test_read_bars_of_a_strange_file_raises(tmp_path: Path, text: str, message: str) -> None:
    """A row that is quietly left out is a row that was not checked."""
    path = tmp_path / "a.csv"
    path.write_text(text)

    with pytest.raises(ConfigError, match=message):
        read_bars(path)


def test_read_code_takes_both_ways_of_writing() -> None:
    """`sh.600519` is baostock's, `600519.SH` everyone else's."""
    assert read_code("sh.600519") == read_code("600519.SH") == SHARE


def test_read_listings_join_lists_and_leave_out_what_is_no_share(tmp_path: Path) -> None:
    """Indices stand beside shares in one of them."""
    (tmp_path / "a.csv").write_text(
        "code,ipoDate,type\nsh.600519,2001-08-27,1\nsh.000001,1991-07-15,2\n"
    )
    (tmp_path / "b.csv").write_text("ts_code,list_date\n600519.SH,20010827\n688981.SH,2020-07-16\n")

    assert read_listings(sorted(tmp_path.iterdir())) == LISTINGS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "\ufeffcode,ipoDate\nsh.600519,2001-08-28\n",
            r"must agree, were 20010827 and 20010828 \(600519\.SH",
        ),
        ("code,ipoDate\nsh.600519,\n", r"ipoDate must be a date like .*b\.csv\)"),
        ("a,b\n1,2\n", "found: a, b"),
        ("", "found: none"),
    ],
)
def test_read_listings_that_contradict_or_say_nothing_raise(
    tmp_path: Path,
    text: str,
    message: str,
) -> None:
    """First days stand on this date."""
    (tmp_path / "a.csv").write_text("code,ipoDate,type\nsh.600519,2001-08-27,1\n")
    (tmp_path / "b.csv").write_text(text)

    with pytest.raises(ConfigError, match=message):
        read_listings(sorted(tmp_path.iterdir()))


def test_read_listings_of_what_is_no_text_raises(tmp_path: Path) -> None:
    """A spreadsheet under the name of a CSV file."""
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="expected a CSV list of shares"):
        read_listings([tmp_path / "a.csv"])


def test_read_tencent_quotes_tell_st_by_name_and_delisted_by_state(tmp_path: Path) -> None:
    """GBK, as the endpoint sends it; -1 stands for no limit."""
    text = (
        tencent_line("sz002039", "黔源电力", "", ("13.60", "14.96", "12.24"))
        + tencent_line("sz002089", "*ST新海", "S", ("1.92", "2.02", "1.82"))
        + tencent_line("sz002070", "众和退", "D", ("0.71", "-1", "-1"))
    )
    path = tmp_path / "a.dat"
    path.write_bytes(text.encode("gbk"))
    listings: dict[int, int] = {
        parse_symbol(f"002{code}.SZ"): 2005_03_03 for code in ("039", "089", "070")
    }

    check = check_quotes(path.name, read_tencent_quotes(path), listings=listings, calendar=CALENDAR)

    assert (check.quote_count, check.equal_count, check.without_limit_count) == (3, 2, 1)
    assert check.unexplained == ()


def test_check_quotes_of_another_limit_is_unexplained() -> None:
    """A fen beside the computed limit, a limit of what is delisted, a share no list names."""
    good = Quote(
        SHARE, 2022_11_22, 100_000, 110_000, 90_000, ListingStatus.LISTED, RiskWarning.UNKNOWN
    )
    off = Quote(SHARE, 2022_11_22, 100_000, 110_100, 90_000, good.status, RiskWarning.NO)
    gone = Quote(
        SHARE, 2022_11_22, 100_000, 110_000, 90_000, ListingStatus.NOT_LISTED, RiskWarning.NO
    )
    stranger = Quote(STAR_SHARE, 2022_11_22, 0, 0, 0, ListingStatus.LISTED, RiskWarning.NO)

    check = check_quotes(
        "a", (good, off, gone, stranger), listings={SHARE: 2001_08_27}, calendar=CALENDAR
    )

    assert check.equal_count == 1
    assert [text.split(" ")[0] for text in check.unexplained] == [
        *("600519.SH", "600519.SH", "688981.SH"),
    ]
    assert "quoted 90000 to 110100, computed 90000 to 110000" in check.unexplained[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'v_sz002039="1~2~3";', "expected 49 fields or more"),
        (b"\x80\xff", "expected a recorded answer"),
        (None, "expected a recorded answer"),
        (tencent_line("hk00700", "a", "", ("1", "1", "1")).encode(), r"must look like .*a\.dat\)"),
        (tencent_line("sz002039", "a", "", ("x", "1", "1")).encode(), "a price or -1, found 'x'"),
        (tencent_line("sz002039", "a", "", ("nan", "1", "1")).encode(), "found 'nan'"),
    ],
)
def test_read_tencent_quotes_of_a_strange_file_raises(
    tmp_path: Path,
    content: bytes | None,
    message: str,
) -> None:
    """A cut line, or no file."""
    path = tmp_path / "a.dat"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        read_tencent_quotes(path)


def write_snapshots(path: Path) -> None:
    """Write one snapshot of 000400.SZ in the layout with `MaxPx` and `MinPx`."""
    levels = {
        f"{side}{kind}{level}": [0.0]
        for side in ("Buy", "Sell")
        for kind in ("Price", "OrderQty")
        for level in range(1, 11)
    }
    frame = pd.DataFrame(
        {
            "MDDate": ["2022.06.01"],
            "MDTime": ["09:31:00.000"],
            "SecurityID": ["000400.SZ"],
            "TradingPhaseCode": ["3"],
            "PreClosePx": [19.38],
            "TotalVolumeTrade": [1.0],
            "TotalValueTrade": [1.0],
            "LastPx": [19.5],
            "OpenPx": [19.5],
            "HighPx": [19.5],
            "LowPx": [19.5],
            "MaxPx": [21.32],
            "MinPx": [17.44],
            **levels,
        }
    )
    frame.to_parquet(path)


def test_check_recordings_reads_every_kind_and_reports_it(tmp_path: Path) -> None:
    """Bars, lists, snapshots and answers of one directory become one report."""
    for name in ("daily", "l2", "payload", "reference"):
        (tmp_path / name).mkdir()
    rows = [f"2020-08-0{day},sh.600519,10,11,9,10,10,1,1,1,0" for day in (3, 4)]
    for name in ("a.csv", "b.csv"):
        (tmp_path / "daily" / name).write_text(f"{BAOSTOCK}\n{rows.pop()}\n")
    (tmp_path / "reference" / "stock_basic_a.csv").write_text(
        "ts_code,list_date\n600519.SH,20010827\n000400.SZ,19970418\n002039.SZ,20050303\n"
    )
    write_snapshots(tmp_path / "l2" / "szse_snapshot_20220601.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "l2" / "other_snapshot.parquet")
    (tmp_path / "payload" / "tencent_a.txt").write_text(
        tencent_line("sz002039", "黔源电力", "", ("13.60", "14.96", "12.24"))
    )

    conformance = check_recordings(tmp_path, CALENDAR)

    assert conformance.row_count == 2
    assert [(quote.name, quote.equal_count) for quote in conformance.quotes] == [
        ("szse_snapshot_20220601.parquet", 1),
        ("tencent_a.txt", 1),
    ]
    lines = list(conformance_lines(conformance))
    assert any("**0 are unexplained**" in line for line in lines)
    assert "| `a.csv` | 1 | 0 | 0 | 0 | 0 | 0 |" in lines
    assert "| all | 2 | 0 | 0 | 0 | 0 | 0 |" in lines


def test_check_recordings_with_a_bar_of_a_day_without_trading_raises(tmp_path: Path) -> None:
    """Such a bar is an error of the recording, not a day to hold against a limit."""
    (tmp_path / "daily").mkdir()
    (tmp_path / "daily" / "a.csv").write_text(f"{TUSHARE}\n600519.SH,20200802,10,11,9,10,10,1,1\n")

    with pytest.raises(ConfigError, match=r"must be a trading day, was 2020-08-02.*a\.csv\)"):
        check_recordings(tmp_path, CALENDAR)


def test_check_recordings_of_an_empty_directory_raises(tmp_path: Path) -> None:
    """A check of nothing would pass for ever."""
    with pytest.raises(ConfigError, match="expected files of daily bars"):
        check_recordings(tmp_path, CALENDAR)


def test_read_snapshot_quotes_without_limits_are_none(tmp_path: Path) -> None:
    """A layout that ingest does not know quotes nothing."""
    path = tmp_path / "a.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    table = instrument_table((), listings={}, calendar=CALENDAR)

    assert read_snapshot_quotes(path, table) == ()
