"""Ex-rights reference prices of real companies, ex-date by ex-date."""

import csv
import gzip
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from tidegate_common.market.corporate_actions import CorporateAction, ex_rights_reference_e4

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
BANK_FILE = "sh.600000_baostock_1999_2023.csv"
LIQUOR_FILE = "600519_tushare_raw_2010_2020.csv"
BANK, LIQUOR, BROKER = 1600000, 1600519, 1600030

# The recorded actions end in 2011; these are the companies' announcements since, as widely
# published: date, cash in 1/1,000,000 CNY a share, bonus or transferred shares in 1/1,000,000.
BANK_SINCE_2012 = (
    (2012_06_26, 300_000, 0),
    (2013_06_03, 550_000, 0),
    (2014_06_24, 660_000, 0),
    (2015_06_23, 757_000, 0),
    (2016_06_23, 515_000, 100_000),
    (2017_05_25, 200_000, 300_000),
    (2018_07_13, 100_000, 0),
    (2019_06_11, 350_000, 0),
    (2020_07_23, 600_000, 0),
    (2021_07_21, 480_000, 0),
    (2022_07_21, 410_000, 0),
    (2023_07_21, 320_000, 0),
)
LIQUOR_SINCE_2012 = (
    (2012_07_05, 3_997_000, 0),
    (2013_06_07, 6_419_000, 0),
    (2014_06_25, 4_374_000, 100_000),
    (2015_07_17, 4_374_000, 100_000),
    (2016_07_01, 6_171_000, 0),
    (2017_07_07, 6_787_000, 0),
    (2018_06_15, 10_999_000, 0),
    (2019_06_28, 14_539_000, 0),
)
# In the share reform the holders of non-tradable shares paid the others with their own shares.
# Nothing left or came to the company, so the price is not ex-righted.
SHARE_REFORM = {(BANK, 2006_05_12)}

pytestmark = pytest.mark.data

# Trade date, previous close as the file has it, close: in 1/10,000 CNY.
Row = tuple[int, int, int]


def recorded_actions(instrument: int) -> Iterator[CorporateAction]:
    """Yield the recorded actions of a Shanghai share, 1990 to 2011."""
    path = DATA / "reference" / "corporate_actions_1990_2011_hikyuu.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["market"] != "SH" or int(row["code"]) != instrument % 1_000_000:
                continue
            rights_e6 = int(row["countForSell"]) * 10
            yield CorporateAction(
                instrument,
                int(row["date"]),
                cash_e6=int(row["bonus"]) * 100,
                bonus_e6=int(row["countAsGift"]) * 10,
                transfer_e6=int(row["countOfIncreasement"]) * 10,
                rights_e6=rights_e6,
                # A price without a ratio is an offering to the public.
                rights_price_e4=int(row["priceForSell"]) * 10 if rights_e6 else 0,
            )


def announced_actions(
    instrument: int,
    rows: tuple[tuple[int, int, int], ...],
) -> Iterator[CorporateAction]:
    """Yield the announced actions since 2012."""
    for ex_date, cash_e6, bonus_e6 in rows:
        yield CorporateAction(instrument, ex_date, cash_e6=cash_e6, bonus_e6=bonus_e6)


def bank_rows() -> list[Row]:
    """Return the days of the bank."""
    with (DATA / "daily" / BANK_FILE).open(encoding="utf-8") as lines:
        return [
            (int(row["date"].replace("-", "")), e4(row["preclose"]), e4(row["close"]))
            for row in csv.DictReader(lines)
        ]


def liquor_rows() -> list[Row]:
    """Return the days of the distillery, first day first."""
    with (DATA / "daily" / LIQUOR_FILE).open(encoding="utf-8") as lines:
        return sorted(
            (int(row["trade_date"]), e4(row["pre_close"]), e4(row["close"]))
            for row in csv.DictReader(lines)
        )


def e4(text: str) -> int:
    """Return a price in 1/10,000 CNY."""
    return round(float(text) * 10_000)


def check(instrument: int, rows: list[Row], actions: list[CorporateAction]) -> list[int]:
    """Return the ex-dates, after every day's previous close was found to be as computed."""
    by_date = {
        action.ex_date: action
        for action in actions
        if (instrument, action.ex_date) not in SHARE_REFORM
    }
    ex_dates = []
    for (_, _, last_close_e4), (day, prev_close_e4, _) in pairwise(rows):
        action = by_date.get(day, CorporateAction(instrument, day))
        assert ex_rights_reference_e4(last_close_e4, action) == prev_close_e4, (instrument, day)
        if prev_close_e4 != last_close_e4:
            ex_dates.append(day)
    return ex_dates


def test_references_of_a_bank_equal_every_recorded_previous_close() -> None:
    """24 years, every day: on the ex-dates the formula, on all others the close itself."""
    actions = [*recorded_actions(BANK), *announced_actions(BANK, BANK_SINCE_2012)]
    rows = bank_rows()

    ex_dates = check(BANK, rows, actions)

    print(f"{BANK_FILE}: {len(rows) - 1} days, {len(ex_dates)} ex-dates")  # noqa: T201  # shown
    paying = [action for action in actions if action.cash_e6 + action.bonus_e6]
    assert len(ex_dates) == len(paying) - len(SHARE_REFORM) == 23


def test_references_of_a_distillery_equal_every_recorded_previous_close() -> None:
    """Ten years, every day, with the dearest share of the market."""
    actions = [*recorded_actions(LIQUOR), *announced_actions(LIQUOR, LIQUOR_SINCE_2012)]
    rows = liquor_rows()

    ex_dates = check(LIQUOR, rows, actions)

    print(f"{LIQUOR_FILE}: {len(rows) - 1} days, {len(ex_dates)} ex-dates")  # noqa: T201  # shown
    assert ex_dates == [2010_07_05, 2011_07_01, *(row[0] for row in LIQUOR_SINCE_2012)]


def test_share_reform_would_not_be_explained_by_the_formula() -> None:
    """The one exception is a real one: as bonus shares it would have cut the price."""
    actions = {action.ex_date: action for action in recorded_actions(BANK)}
    (_, _, last_close_e4), (_, prev_close_e4, _) = next(
        pair for pair in pairwise(bank_rows()) if pair[1][0] == 2006_05_12
    )

    reference_e4 = ex_rights_reference_e4(last_close_e4, actions[2006_05_12])

    assert (prev_close_e4, last_close_e4, reference_e4) == (108_600, 108_600, 83_500)


def test_reference_of_a_rights_issue_equals_the_recorded_previous_close() -> None:
    """Ten to 1.5 at 14.43 CNY, suspended since 2022-01-19."""
    table = pd.read_parquet(
        DATA / "daily" / "baostock_csi300_2020_2025.parquet",
        columns=["date", "code", "close", "preclose"],
        filters=[("code", "==", "sh.600030")],
    )
    days = table["date"].astype(str).str[:10].tolist()
    at = days.index("2022-01-27")
    action = CorporateAction(BROKER, 2022_01_27, rights_e6=150_000, rights_price_e4=144_300)

    reference_e4 = ex_rights_reference_e4(e4(table["close"].iloc[at - 1]), action)

    assert reference_e4 == e4(table["preclose"].iloc[at]) == 242_300
