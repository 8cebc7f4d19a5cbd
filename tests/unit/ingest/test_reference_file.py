"""A user's reference file: one layout, and one line for what is wrong."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tidegate_common.domain.ids import RunId
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import FeedSpec, RunSpec, SyntheticSpec
from tidegate_common.frames.actions import actions_of
from tidegate_common.frames.rows import ReferenceRows
from tidegate_common.market.corporate_actions import CorporateAction
from tidegate_ingest.adapters.archive import write_archive
from tidegate_ingest.adapters.feed import describe_files, describe_reference, open_feed
from tidegate_ingest.adapters.reference_file import load_reference, open_reference
from tidegate_ingest.engine.reference_days import ReferenceDays, ReferenceTable

LIQUOR = 1_600_519
HEAD = (
    "symbol,date,listing_date,is_st,is_suspended,sector,cash,bonus,transfer,rights,rights_price,"
    "record_date,pay_date,new_shares_date\n"
)
WHOLE = (
    "600519.SH,2023-02-02,2001-08-27,true,0,饮料,0.25,0.1,0.2,0.3,5.01,2023-02-01,2023-02-03,"
    "2023-02-06\n"
)
BARS = "symbol,date,open,high,low,close,volume,amount\n" + "".join(
    f"600519.SH,2023-02-0{day},10,10,10,10,100,1000\n" for day in (1, 2)
)


def _write(folder: Path, text: str, head: str = HEAD) -> Path:
    path = folder / "reference.csv"
    path.write_text(head + text, encoding="utf-8")
    return path


def _says(table: ReferenceTable) -> tuple[object, ...]:
    facts = ReferenceDays(table).on(20230202, np.array([LIQUOR]))
    return (
        facts.listing_date.tolist(),
        facts.is_st.tolist(),
        facts.is_suspended.tolist(),
        facts.sector.tolist(),
        dict(facts.actions),
    )


EXPECTED = (
    [20010827],
    [1],
    [0],
    ["饮料"],
    {
        LIQUOR: CorporateAction(
            LIQUOR,
            20230202,
            cash_e6=250_000,
            bonus_e6=100_000,
            transfer_e6=200_000,
            rights_e6=300_000,
            rights_price_e4=50_100,
            record_date=20230201,
            pay_date=20230203,
            listing_date=20230206,
        )
    },
)


def test_reference_csv_says_everything(tmp_path: Path) -> None:
    """Amounts a share in CNY and in shares, scaled without a float."""
    assert _says(load_reference(_write(tmp_path, WHOLE))) == EXPECTED


def test_reference_parquet_with_types_says_the_same(tmp_path: Path) -> None:
    """Dates, booleans and floats of a data frame."""
    types = dict.fromkeys(("cash", "bonus", "transfer", "rights", "rights_price"), pa.float64())
    types |= dict.fromkeys(("date", "listing_date", "record_date", "pay_date"), pa.date32())
    types |= {"is_st": pa.bool_(), "is_suspended": pa.int64()}
    options = pa_csv.ConvertOptions(column_types=types)
    table = pa_csv.read_csv(_write(tmp_path, WHOLE), convert_options=options)
    path = tmp_path / "reference.parquet"
    pq.write_table(table, path)

    assert _says(load_reference(path)) == EXPECTED


def test_reference_of_few_columns_leaves_the_rest_to_the_feed(tmp_path: Path) -> None:
    """Cells may be empty, and columns absent."""
    path = _write(tmp_path, "sh.600519,20230202,,0.0000005\n", "symbol,date,sector,cash\n")

    listing_date, is_st, is_suspended, sector, actions = _says(load_reference(path))

    assert (listing_date, is_st, is_suspended, sector) == ([0], [-1], [-1], [""])
    assert actions == {LIQUOR: CorporateAction(LIQUOR, 20230202, cash_e6=1)}


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("x,2023-02-02,,1", "symbol must be of a share, such as 600519.SH, was 'x'"),
        ("000300.SH,2023-02-02,,1", "symbol must be of a share"),
        ("600519.SH,2023-02-30,,1", "date must be a day such as 2024-06-19, was '2023-02-30'"),
        ("600519.SH,2023-02-02,soon,1", "listing_date must be a day .*, was soon"),
        ("600519.SH,2023-02-02,,maybe", "is_st must be one of 0, 1, false, true, was maybe"),
        ("600519.SH,2023-02-02,,,2", "is_suspended must be one of"),
        ("600519.SH,2023-02-02,,,,,-1", r"cash must be a number in 0\.\.10000, was -1"),
        ("600519.SH,2023-02-02,,,,,1_000", r"cash must be a number in 0\.\.10000, was 1_000"),
        ("600519.SH,2023-02-02,,,,,10000.01", r"cash must be a number in 0\.\.10000"),
        ("600519.SH,2023-02-02,,,,,,1e4", r"bonus must be a number in 0\.\.1000, was 1e4"),
        ("600519.SH,2023-02-02,,,,,,,NaN", "transfer must be a number"),
        ("600519.SH,2023-02-02,,,,,,,3 for 10", "transfer must be a number"),
        ("600519.SH,2023-02-02,,,,,,,,0.3", "rights and rights_price must come together, was 0.3"),
        ("600519.SH,2023-02-02,,,,,,,,,5", "rights and rights_price must .*, was 0 and 5"),
        ("600519.SH,2023-02-02,,,,,1,,,,,2023-02-02", "record_date must be before date, was 2023"),
        ("600519.SH,2023-02-02,,,,,1,,,,,,2023-02-01", "pay_date must not be before date"),
        ("600519.SH,2023-02-02,,,,,1,,,,,,,2023-02-01", "new_shares_date must not be before"),
        ("600519.SH,2023-02-02,,1,,,,,,,,,2023-02-03", "pay_date must come with an amount"),
        ("600519.SH,2023-02-02", "the row must say something beside symbol and date, was empty"),
        ("600519.SH,2023-02-02,,,,,0", "the row must say something"),
        ("600519,2023-02-01,,1", "symbol must have one row a date, was 600519 2023-02-01 again"),
    ],
)
def test_reference_with_a_bad_row_is_one_line(tmp_path: Path, row: str, text: str) -> None:
    """File, row, what was expected and what was found; nothing is guessed."""
    missing = HEAD.count(",") - row.count(",")
    good = "600519.SH,2023-02-01,,1" + "," * 10
    path = _write(tmp_path, f"{good}\n{row}{',' * missing}\n")

    with pytest.raises(ConfigError, match=f"reference.csv, row 2: .*{text}"):
        load_reference(path)


def test_reference_on_the_day_of_the_action_may_pay_and_list(tmp_path: Path) -> None:
    """Most dividends are paid on their ex-date."""
    row = "600519.SH,2023-02-02,,,,,1,1,,,,2023-02-01,2023-02-02,2023-02-02\n"

    *_, actions = _says(load_reference(_write(tmp_path, row)))

    assert isinstance(actions, dict)
    assert (actions[LIQUOR].pay_date, actions[LIQUOR].listing_date) == (20230202, 20230202)


@pytest.mark.parametrize("head", ["symbol,date,bonous\n", "symbol,cash\n", "date,cash\n"])
def test_reference_of_other_columns_is_refused(tmp_path: Path, head: str) -> None:
    """A column with a slip in its name would be shares that nobody gets."""
    with pytest.raises(ConfigError, match=r"expected columns symbol, date and some of .* found: "):
        load_reference(_write(tmp_path, "", head))


def test_reference_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """As any other file of a run."""
    with pytest.raises(ConfigError, match="found nothing at"):
        load_reference(tmp_path / "reference.csv")


def test_reference_that_changed_is_another_run(tmp_path: Path) -> None:
    """A verify over other dividends would prove nothing."""
    path = _write(tmp_path, WHOLE)
    file = describe_reference(path)
    path.write_text(HEAD, encoding="utf-8")

    with pytest.raises(ConfigError, match="has changed since the run was defined"):
        open_reference(file)


def test_feed_of_a_run_with_a_reference_carries_it(tmp_path: Path) -> None:
    """From the spec alone."""
    bars = tmp_path / "bars.csv"
    bars.write_text(BARS, encoding="utf-8")
    row = "600519.SH,2023-02-02,,,,,0.5" + "," * 7 + "\n"
    reference = describe_reference(_write(tmp_path, row))
    spec = RunSpec(RunId("r"), (), (), FeedSpec(files=describe_files([bars]), reference=reference))

    frames = list(open_feed(spec).frames())

    assert isinstance(frames[2].rows, ReferenceRows)
    assert actions_of(frames[2].rows, 20230202) == (
        CorporateAction(LIQUOR, 20230202, cash_e6=500_000),
    )
    assert frames[2].rows.prev_close_e4.tolist() == [95_000]


def test_feeds_with_reference_data_of_their_own_take_no_other(tmp_path: Path) -> None:
    """An archive and a synthetic market have said it all."""
    reference = describe_reference(_write(tmp_path, WHOLE))
    market = SyntheticSpec(instrument_count=2, beats_per_day=2)
    made = RunSpec(RunId("r"), (), (), FeedSpec(synthetic=market))
    archive = write_archive(open_feed(made).frames(), tmp_path / "archive")
    feeds = (
        FeedSpec(synthetic=market, reference=reference),
        FeedSpec(files=describe_files(archive), reference=reference),
    )

    for feed in feeds:
        with pytest.raises(ConfigError, match="--reference is for recorded and live quotes"):
            open_feed(RunSpec(RunId("r"), (), (), feed))


def test_run_without_a_reference_has_none() -> None:
    """Nothing is said, so the feed is as it was."""
    assert open_reference(None).row_count == 0


def test_load_reference_of_text_that_is_no_utf_8_is_one_line(tmp_path: Path) -> None:
    """A damaged Parquet file is read by Arrow without a word; its letters are looked at late."""
    path = tmp_path / "reference.parquet"
    words = pa.array([b"\xcd(600519.SH"]).view(pa.string())
    pq.write_table(pa.table({"symbol": words, "date": ["2023-02-02"], "is_st": ["1"]}), path)

    with pytest.raises(ConfigError, match=r"a reference table in .*, found: 'utf-8' codec"):
        load_reference(path)
