"""Daily bars from libraries, their answers made by hand."""

import csv
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tidegate_common.domain.ids import Symbol
from tidegate_common.errors import ConfigError, TransientError
from tidegate_ingest.adapters.file_check import check_file
from tidegate_ingest.adapters.history import Days, Downloaded, HistorySource, download, history_path
from tidegate_ingest.adapters.history_sources import (
    AkshareSource,
    BaostockSource,
    answer_limit,
    open_source,
)

SHARE = Symbol("600000.SH")
OTHER = Symbol("000001.SZ")
DAYS = Days(date(2023, 2, 1), date(2023, 2, 3))
HEAD = [
    "date",
    "code",
    "open",
    "high",
    "low",
    "close",
    "preclose",
    "volume",
    "amount",
    "adjustflag",
    "turn",
    "tradestatus",
    "isST",
    "peTTM",
    "pbMRQ",
    "psTTM",
    "pcfNcfTTM",
]


def bar(day: str = "2023-02-01", code: str = "sh.600000", **changes: str) -> list[str]:
    """Return a day as baostock says it: 1,000 shares at 10.00 CNY and about."""
    numbers = "10.0000,10.1000,9.9000,10.0500,10.0000,1000,10020.0000,3,0.01,1,0,5.1,0.4,1.1,2.2"
    row = dict(zip(HEAD, [day, code, *numbers.split(",")], strict=True))
    return list({**row, **changes}.values())


@dataclass(slots=True)
class Said:
    """An answer of baostock."""

    rows: list[list[str]] = field(default_factory=list)
    error_code: str = "0"
    error_msg: str = ""
    fields: list[str] = field(default_factory=lambda: list(HEAD))

    def next(self) -> bool:
        """Tell whether there is another row."""
        return bool(self.rows)

    def get_row_data(self) -> list[str]:
        """Return the next row."""
        return self.rows.pop(0)


@dataclass(slots=True)
class Library:
    """A baostock whose answers a test gives; an error is raised, the last one is for ever.

    calls : what was asked, `login` and `logout` among it.
    """

    answers: list[Said | OSError | None]
    login_answer: Said | None = field(default_factory=lambda: Said(fields=[]))
    calls: list[str] = field(default_factory=list)

    def login(self) -> Said | None:
        """Begin a session."""
        self.calls.append("login")
        print("login success!")  # noqa: T201  # as the library does
        return self.login_answer

    def logout(self) -> None:
        """End the session; the server is gone."""
        self.calls.append("logout")
        raise BrokenPipeError

    def query_history_k_data_plus(
        self,
        code: str,
        fields: str,
        *,
        start_date: str,
        end_date: str,
        frequency: str,
        adjustflag: str,
    ) -> Said | None:
        """Return the next answer."""
        assert fields.split(",") == HEAD
        self.calls.append(f"{code} {start_date} {end_date} {frequency} {adjustflag}")
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer


@contextmanager
def no_limit() -> Iterator[None]:
    """Let a call take as long as it wants."""
    yield


def run(
    source: HistorySource,
    folder: Path,
    *symbols: Symbol,
    pauses: list[float] | None = None,
) -> Downloaded:
    """Download shares and return what became of them."""
    waits = [] if pauses is None else pauses
    return list(download(source, symbols or (SHARE,), DAYS, folder, waits.append))[-1]


def baostock(*answers: Said | OSError | None) -> BaostockSource:
    """Return a source with such answers."""
    return BaostockSource(Library(list(answers)), no_limit)


def test_download_of_baostock_writes_what_ingest_reads(tmp_path: Path) -> None:
    """A suspended day is a row with a previous close and without a volume."""
    suspended = bar("2023-02-02", volume="", amount="", tradestatus="0")

    done = run(baostock(Said([bar(), suspended, bar("2023-02-03")])), tmp_path)

    path = tmp_path / "baostock" / "600000.SH_20230201_20230203.csv"
    assert (done.written, done.rows, done.failed) == ([path], 3, {})
    assert list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[:2] == [HEAD, bar()]
    assert (check_file(path).format, check_file(path).rows_out) == ("baostock daily", 3)


def test_download_asks_for_unadjusted_days_in_one_session(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And is polite: one pause before each question, one logout, nothing on standard output."""
    library = Library([Said([bar()]), Said([bar(code="sz.000001")])])
    pauses: list[float] = []

    done = run(BaostockSource(library, no_limit), tmp_path, SHARE, OTHER, pauses=pauses)

    assert len(done.written) == 2
    assert library.calls == [
        "login",
        "sh.600000 2023-02-01 2023-02-03 d 3",
        "sz.000001 2023-02-01 2023-02-03 d 3",
        "logout",
    ]
    assert pauses == [0.5, 0.5]
    assert capsys.readouterr().out == ""


def test_download_skips_a_file_that_is_there(tmp_path: Path) -> None:
    """A download that was interrupted goes on where it was."""
    library = Library([Said([bar()])])
    path = history_path(tmp_path, "baostock", SHARE, DAYS)
    path.parent.mkdir()
    path.write_text("mine", encoding="utf-8")

    done = run(BaostockSource(library, no_limit), tmp_path)

    assert (done.skipped, done.written, library.calls) == ([path], [], [])
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "lost",
    [None, Said(error_code="10002007"), Said(error_code="10001001"), ConnectionResetError("gone")],
)
def test_lost_connection_is_tried_again_in_a_new_session(
    tmp_path: Path,
    lost: Said | OSError | None,
) -> None:
    """After 2 s, 4 s: what is lost midway leaves no half file."""
    library = Library([lost, lost, Said([bar()])])
    pauses: list[float] = []

    done = run(BaostockSource(library, no_limit), tmp_path, pauses=pauses)

    assert len(done.written) == 1
    assert library.calls.count("login") == 3
    assert pauses == [0.5, 2.0, 0.5, 4.0, 0.5]


def test_source_that_does_not_answer_is_left_alone_after_three_shares(tmp_path: Path) -> None:
    """It is away; thousands of shares more would only wait for it."""
    library = Library([None])
    symbols = [Symbol(f"60000{number}.SH") for number in range(5)]

    done = run(BaostockSource(library, no_limit), tmp_path, *symbols)

    assert list(done.failed) == symbols
    assert done.failed[symbols[2]].startswith("no answer from baostock")
    assert done.failed[symbols[3]] == "not asked: baostock does not answer"
    assert library.calls.count("login") == 12
    assert not list(tmp_path.iterdir())


def test_answer_between_silences_keeps_the_source_in_use(tmp_path: Path) -> None:
    """Two shares may fail, and then two others."""
    silence: list[Said | OSError | None] = [None] * 8
    symbols = [Symbol(f"60000{number}.SH") for number in range(5)]
    good = Said([bar(code="sh.600002")])
    source = BaostockSource(Library([*silence, good, *silence, None]), no_limit)

    done = run(source, tmp_path, *symbols)

    assert len(done.written) == 1
    assert all(reason.startswith("no answer") for reason in done.failed.values())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Said(), "no days from 2023-02-01 to 2023-02-03"),
        (Said(error_code="10004011", error_msg="code"), "baostock refuses: 10004011 code"),
        (Said([["2023-02-01"]], fields=["date"]), "expected columns date, code"),
        (Said([bar()[:-1]]), "expected 17 columns, found 16"),
        (Said([bar(), bar()]), "come after 2023-02-01, each day once"),
        (Said([bar("2023-02-02"), bar()]), "come after 2023-02-02"),
        (Said([bar("2023-01-31")]), "be from 2023-02-01"),
        (Said([bar("2023-02-06")]), "be from 2023-02-01 to 2023-02-03"),
        (Said([bar("yesterday")]), "have a date such as"),
        (Said([bar(code="sz.600000")]), "have code sh.600000"),
        (Said([bar(volume="10")]), "have an amount that its volume makes"),
        (Said([bar(volume="100000")]), "have an amount that its volume makes"),
        (Said([bar(volume="")]), "have a number as volume"),
        (Said([bar(amount="NaN")]), "have a number as amount, at least 0"),
        (Said([bar(amount="-1")]), "have a number as amount, at least 0"),
        (Said([bar(low="0")]), "have 0 < low"),
        (Said([bar(high="10.01")]), "have 0 < low <= open, close <= high"),
        (Said([bar(open="9.80")]), "have 0 < low <= open, close <= high"),
        (Said([bar()] * 10_000), "found a full page"),
    ],
)
def test_answer_that_cannot_be_true_is_no_file(tmp_path: Path, answer: Said, reason: str) -> None:
    """A gap is found at once; a wrong price is found after a loss."""
    done = run(baostock(answer), tmp_path)

    assert reason in done.failed[SHARE]
    assert not list(tmp_path.iterdir())


def test_day_without_trading_is_no_row_of_history(tmp_path: Path) -> None:
    """2023-02-04 was a Saturday."""
    saturday = Days(date(2023, 2, 1), date(2023, 2, 6))
    source = baostock(Said([bar("2023-02-04")]))

    pauses: list[float] = []
    (done,) = download(source, [SHARE], saturday, tmp_path, pauses.append)

    assert "be of a trading day" in done.failed[SHARE]


def test_refused_login_ends_the_download(tmp_path: Path) -> None:
    """Whoever is not let in does not knock thousands of times."""
    library = Library([None], login_answer=Said(error_code="10001011", error_msg="blacklist"))

    with pytest.raises(ConfigError, match="10001011 blacklist"):
        run(BaostockSource(library, no_limit), tmp_path, SHARE, OTHER)

    assert library.calls == ["login"]


def test_folder_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    """Here it is a file."""
    folder = tmp_path / "folder"
    folder.write_text("", encoding="utf-8")

    with pytest.raises(ConfigError, match="expected a folder that can be written"):
        run(baostock(Said([bar()])), folder)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2023, 2, 2), date(2023, 2, 1)),
        (date(1990, 1, 1), date(2023, 2, 1)),
        (date(2023, 2, 1), date(2099, 1, 1)),
    ],
)
def test_days_that_the_calendar_does_not_cover_are_refused(first: date, last: date) -> None:
    """Nobody could tell whether a row is missing."""
    with pytest.raises(ConfigError):
        Days(first, last)


@dataclass(slots=True)
class EastmoneyLibrary:
    """An akshare with one answer, or an error."""

    answer: pd.DataFrame | Exception
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def stock_zh_a_hist(
        self,
        *,
        symbol: str,
        period: str,
        start_date: str,
        end_date: str,
        adjust: str,
        timeout: float,
    ) -> pd.DataFrame:
        """Return the answer."""
        assert timeout > 0
        self.asked.append((symbol, period, start_date, end_date, adjust))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def eastmoney_table(**changes: object) -> pd.DataFrame:
    """Return a day as akshare says it: 10 lots."""
    row = {
        "日期": date(2023, 2, 1),
        "股票代码": "600000",
        "开盘": 10.0,
        "收盘": 10.05,
        "最高": 10.1,
        "最低": 9.9,
        "成交量": 10,
        "成交额": 10_020.0,
        **changes,
    }
    return pd.DataFrame([row])


def test_download_of_akshare_writes_shares_where_it_says_lots(tmp_path: Path) -> None:
    """A file of plain names is in shares; previous closes and flags are nobody's guess."""
    library = EastmoneyLibrary(eastmoney_table())

    done = run(AkshareSource(library, no_limit), tmp_path)

    assert library.asked == [("600000", "daily", "20230201", "20230203", "")]
    assert done.written[0].read_text(encoding="utf-8").splitlines() == [
        "symbol,date,open,high,low,close,volume,amount",
        "600000.SH,2023-02-01,10.0,10.1,9.9,10.05,1000,10020.0",
    ]
    assert check_file(done.written[0]).rows_out == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (pd.DataFrame(), "no days from"),
        (eastmoney_table().drop(columns="成交量"), "missing: ['成交量']"),
        (eastmoney_table(成交量="-"), "have a number as volume"),
        (eastmoney_table(成交量=1_000), "have an amount that its volume makes"),
        (eastmoney_table(成交量=float("nan")), "have a number as volume"),
        (ConnectionResetError("gone"), "no answer from akshare: gone"),
        (ValueError("no JSON"), "no answer from akshare: no JSON"),
    ],
)
def test_strange_answer_of_akshare_is_no_file(
    tmp_path: Path,
    answer: pd.DataFrame | Exception,
    reason: str,
) -> None:
    """Pages change without a word."""
    done = run(AkshareSource(EastmoneyLibrary(answer), no_limit), tmp_path)

    assert reason in done.failed[SHARE]


def test_call_that_never_ends_is_ended(tmp_path: Path) -> None:
    """Baostock's library reads a connection that was closed again and again, for ever."""

    @dataclass(slots=True)
    class Endless(Library):
        def login(self) -> Said | None:
            while True:
                pass

    def limit() -> AbstractContextManager[None]:
        return answer_limit(0.001)

    done = run(BaostockSource(Endless([]), limit), tmp_path)

    assert done.failed[SHARE] == "no answer from baostock: no answer within 0.001 s"


def test_answer_in_time_is_not_disturbed_later() -> None:
    """The alarm ends with the call."""
    with answer_limit(60):
        pass

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.parametrize("name", ["baostock"])
def test_open_source_of_an_installed_library_finds_what_it_uses(name: str) -> None:
    """The real library, without a question to its server."""
    source = open_source(name)

    assert source.name == name
    assert isinstance(source, BaostockSource)


@pytest.mark.parametrize(
    ("name", "message"),
    [("tushare", "must be one of baostock, akshare"), ("akshare", "pip install akshare")],
)
def test_open_source_that_is_not_there_says_so(name: str, message: str) -> None:
    """Akshare is not locked, so no test has it."""
    with pytest.raises(ConfigError, match=message):
        open_source(name)


def test_ask_of_a_lost_connection_is_transient() -> None:
    """Whoever asks may ask again."""
    pause: Callable[[], AbstractContextManager[None]] = no_limit

    with pytest.raises(TransientError):
        BaostockSource(Library([None]), pause).ask(SHARE, DAYS)
