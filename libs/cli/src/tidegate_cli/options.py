"""Options that several commands share, as Typer reads them."""

from pathlib import Path
from typing import Annotated

import typer

FEED_PANEL = "Feed"
RUN_PANEL = "Run"
STACK_PANEL = "Stack"
DATA_DIR_DEFAULT = Path(".tidegate")

Replay = Annotated[
    list[str] | None,
    typer.Option(
        "--replay",
        metavar="FILE…",
        help="Recorded files to replay; none: a synthetic market.",
        rich_help_panel=FEED_PANEL,
    ),
]
Data = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="FILE…",
        help="Recorded files to read; none: a synthetic market.",
        rich_help_panel=FEED_PANEL,
    ),
]
Live = Annotated[
    str,
    typer.Option(
        "--live",
        metavar="SOURCES",
        help="Live quotes of sina, tencent, eastmoney, asked in this order, or push: of your own "
        "client; needs --symbols.",
        rich_help_panel=FEED_PANEL,
    ),
]
Symbols = Annotated[
    list[str] | None,
    typer.Option(
        "--symbols",
        metavar="SYMBOL…",
        help="Shares of a live run, such as 600519.SH,000001.SZ, or a file with one a line.",
        rich_help_panel=FEED_PANEL,
    ),
]
PushedFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE…", help="Recorded snapshots to push.", show_default=False),
]
PushToken = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="TIDEGATE_INGEST_LIVE__PUSH_TOKEN",
        help="What ingest was told that a client must know.",
        show_default=False,
    ),
]
PushUrl = Annotated[
    str,
    typer.Option(
        "--url",
        metavar="WS_URL",
        help="Where ingest takes quotes; default: the stack of --data-dir.",
    ),
]
Reference = Annotated[
    str,
    typer.Option(
        "--reference",
        metavar="FILE",
        help="Listing dates, ST, sectors and corporate actions, which win over what the feed says; "
        "see docs/reference-data.md.",
        rich_help_panel=FEED_PANEL,
    ),
]
Days = Annotated[
    int,
    typer.Option(
        "--days",
        help="At most so many trading days; 0: all of the files, else one day.",
        rich_help_panel=FEED_PANEL,
    ),
]
WarmupDays = Annotated[
    int,
    typer.Option(
        "--warmup-days",
        help="The first so many trading days only warm the indicators up.",
        rich_help_panel=RUN_PANEL,
    ),
]
Instruments = Annotated[
    int,
    typer.Option(
        "--instruments",
        help="Instruments of the synthetic market.",
        rich_help_panel=FEED_PANEL,
    ),
]
Beats = Annotated[
    int,
    typer.Option(
        "--beats",
        help="Beats a day of the synthetic market; 5120 are one in 3 seconds.",
        rich_help_panel=FEED_PANEL,
    ),
]
Seed = Annotated[
    int,
    typer.Option("--seed", help="Seed of the run.", rich_help_panel=FEED_PANEL),
]
Strategy = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="STRATEGY…",
        help="Names, .yaml files or path/to/file.py:Name; default: book_imbalance, ma_cross for "
        "bars. See docs/strategies.md.",
        rich_help_panel=RUN_PANEL,
    ),
]
Cash = Annotated[
    str,
    typer.Option("--cash", metavar="CNY", help="Cash per account.", rich_help_panel=RUN_PANEL),
]
Accounts = Annotated[
    int,
    typer.Option("--accounts", help="Number of accounts.", rich_help_panel=RUN_PANEL),
]
Limits = Annotated[
    str,
    typer.Option(
        "--limits",
        metavar="NAME",
        help="Limits and costs by name or .yaml file.",
        rich_help_panel=RUN_PANEL,
    ),
]
RunIdOption = Annotated[
    str,
    typer.Option(
        "--run-id",
        metavar="ID",
        help="Id of the run; default: one made of the time and the settings.",
        rich_help_panel=RUN_PANEL,
    ),
]
ConfigDir = Annotated[
    Path | None,
    typer.Option(
        "--config-dir",
        envvar="TIDEGATE_CONFIG_DIR",
        help="Directory with strategies/ and limits/; default: the checkout's config/.",
        rich_help_panel=RUN_PANEL,
    ),
]
DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="TIDEGATE_DATA_DIR",
        help="Where the stack keeps its files.",
        rich_help_panel=STACK_PANEL,
    ),
]
Archive = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        metavar="DIR",
        help="The recorder's archive, for a run that was fed live; default: the data directory's.",
        rich_help_panel=STACK_PANEL,
    ),
]
RuledInstrument = Annotated[
    str | None,
    typer.Argument(
        metavar="INSTRUMENT", help="A share or a fund, such as 600519.SH.", show_default=False
    ),
]
RuledDate = Annotated[
    str | None,
    typer.Option("--date", metavar="DATE", help="Trading day, 2023-02-01 or 20230201."),
]
PrevClose = Annotated[
    str | None,
    typer.Option(
        "--prev-close",
        metavar="CNY",
        help="Ex-rights reference price; on a listing day the issue price.",
    ),
]
St = Annotated[bool, typer.Option("--st", help="Under risk warning (ST or *ST) on that day.")]
Listed = Annotated[
    str | None,
    typer.Option("--listed", metavar="DATE", help="Day of the listing; default: long ago."),
]
StatusWord = Annotated[
    str | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help="listed, relisting, delisting, delisting_first_day, not_listed; default: listed.",
    ),
]
StatusSince = Annotated[
    str | None,
    typer.Option("--status-since", metavar="DATE", help="First day of that status."),
]
FundBoard = Annotated[
    str | None,
    typer.Option(
        "--board",
        metavar="etf|etf_growth",
        help="Of a fund, whose code does not tell; etf_growth: it tracks STAR or ChiNext.",
    ),
]
CsvFile = Annotated[
    Path | None,
    typer.Option(
        "--csv",
        metavar="FILE",
        help="Questions: instrument, date, prev_close; is_st, listed, status, status_since.",
    ),
]
OutFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Where the answers to --csv go."),
]
SharedData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Recorded days (daily/, l2/, payload/, reference/) to check the rule book against.",
    ),
]
StreamData = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", help="Recorded days; the order streams are in its l2/."),
]
RecordedData = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DIR", help="Recorded days: its daily/, l2/, minute/, reference/."
    ),
]
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Where to write the plot, as SVG."),
]
CheckedFiles = Annotated[
    list[Path],
    typer.Argument(metavar="FILE…", help="Files in layouts that ingest knows; each on its own."),
]
PrometheusRules = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", help="Alerts, such as deploy/prometheus/rules.yml."),
]
Alertmanager = Annotated[
    str,
    typer.Option("--alertmanager", metavar="HOST:PORT", help="Who is told of alerts."),
]
ScrapeSeconds = Annotated[
    int,
    typer.Option("--every-seconds", min=1, help="Between two scrapes, s."),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object as the last line of standard output."),
]
Start = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Begin at a day or time of the files, as 2023-02-01T10:00 (Shanghai).",
        rich_help_panel=FEED_PANEL,
    ),
]
Speed = Annotated[
    str,
    typer.Option(
        "--speed",
        metavar="1x|60x|max",
        help="Market seconds per second, or as fast as it goes.",
        rich_help_panel=FEED_PANEL,
    ),
]
MaxWaitMs = Annotated[
    int,
    typer.Option(
        "--max-wait-ms",
        metavar="MS",
        help="Of a paced run: risk goes on without a shard that is so late in a beat and rejects "
        "orders in its instruments; well below the time between beats. 0: it waits, or 1,000 in a "
        "live run.",
        rich_help_panel=RUN_PANEL,
    ),
]
Shards = Annotated[
    int,
    typer.Option(
        "--shards",
        min=1,
        max=64,
        help="Parts of the market, each with an execution process.",
        rich_help_panel=STACK_PANEL,
    ),
]
Replicas = Annotated[
    int,
    typer.Option("--replicas", min=1, max=15, help="Brokers that keep each topic."),
]
RiskPartitions = Annotated[
    int,
    typer.Option(
        "--risk-partitions",
        min=1,
        max=64,
        help="Parts of the accounts, each with a risk process.",
        rich_help_panel=STACK_PANEL,
    ),
]
IngestStandby = Annotated[
    bool,
    typer.Option(
        "--ingest-standby",
        help="A second ingest stands by and goes on with the feed when the first is gone.",
        rich_help_panel=STACK_PANEL,
    ),
]
WithBacktests = Annotated[
    bool,
    typer.Option(
        "--with-backtests",
        help="Run the backtests that the gateway is asked for; see docs/backtests.md.",
        rich_help_panel=STACK_PANEL,
    ),
]
GatewayPort = Annotated[
    int | None,
    typer.Option(
        "--gateway-port",
        help="Port of the gateway; default: 8000 if it is free; 0: any free one.",
        rich_help_panel=STACK_PANEL,
    ),
]
LogLevel = Annotated[
    str,
    typer.Option(
        "--log-level",
        metavar="debug|info|warning|error",
        help="Least level of the services' logs.",
        rich_help_panel=STACK_PANEL,
    ),
]
ExitWhenDone = Annotated[
    bool,
    typer.Option(
        "--exit-when-done",
        help="Stop everything once the replay is recorded; default: serve until Ctrl-C.",
        rich_help_panel=STACK_PANEL,
    ),
]
PostgresUrl = Annotated[
    str | None,
    typer.Option(
        "--postgres-url",
        metavar="URL",
        help="postgresql:// address; default: TIDEGATE_POSTGRES__URL, or the stack's own.",
        rich_help_panel=STACK_PANEL,
    ),
]
BenchInstruments = Annotated[
    int,
    typer.Option("--instruments", min=0, help="Of benches signals and risk; 0: every A-share."),
]
BenchFrames = Annotated[
    int,
    typer.Option("--frames", min=0, help="Beats that bench signals measures; 0: 300."),
]
BenchOrders = Annotated[
    int,
    typer.Option("--orders", min=0, help="Recorded orders of bench gateway; 0: a million."),
]
