"""The parameters that listings share, and the queries that they mean."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Query

from tidegate_common.domain.ids import parse_symbol
from tidegate_gateway.pages import Listing, PageQuery, Value, Wanted, parse_cursor
from tidegate_gateway.problems import ProblemError
from tidegate_gateway.schemas.texts import AccountText, MomentText, SymbolText
from tidegate_gateway.security import Caller, Reader, check_account

ROWS_MAX = 1_000

RunParameter = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
        description="a run; the latest if none",
        examples=["run-1"],
    ),
]
AccountParameter = Annotated[AccountText | None, Query(examples=["A1"])]
SymbolParameter = Annotated[SymbolText | None, Query(examples=["600519.SH"])]
StrategyParameter = Annotated[
    str | None,
    Query(
        pattern=r"^[^\x00]{1,100}$",
        description="what this strategy's scores caused",
        examples=["cross"],
    ),
]
AfterParameter = Annotated[
    str | None,
    Query(max_length=300, description="`next` of the page before"),
]
LimitParameter = Annotated[
    int,
    Query(ge=1, le=ROWS_MAX, description="most items of a page", examples=[100]),
]
NewestParameter = Annotated[bool, Query(description="the other end first")]
FromParameter = Annotated[
    MomentText | None,
    Query(
        alias="from",
        description="market time, ISO 8601 with offset; what happened then or later",
        examples=["2023-02-01T09:30:00+08:00"],
    ),
]
ToParameter = Annotated[
    MomentText | None,
    Query(
        description="market time, ISO 8601 with offset; what happened before it",
        examples=["2023-02-01T15:00:00+08:00"],
    ),
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NS_END = 2**63


@dataclass(frozen=True, slots=True)
class AskedPage:
    """What was asked of a listing, whichever it is, and by whom."""

    caller: Caller
    run: str | None
    after: str | None
    limit: int
    from_ns: int | None
    to_ns: int | None
    newest_first: bool

    def query(self, listing: Listing, **filters: Value | None) -> PageQuery:
        """Return the query of a page, of no account that is not for the caller.

        Raises
        ------
        ProblemError
            422 if the cursor is not one of this listing, 403 if the account is not for the caller.
        """
        wanted: dict[str, Wanted | None] = {**filters}
        if listing.has_accounts:
            wanted["account_id"] = _accounts_of(self.caller, filters.get("account_id"))
        try:
            after = (
                None
                if self.after is None
                else parse_cursor(listing, self.after, is_newest_first=self.newest_first)
            )
        except ValueError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        return PageQuery(
            run_id=self.run,
            filters={name: value for name, value in wanted.items() if value is not None},
            from_ns=self.from_ns,
            to_ns=self.to_ns,
            after=after,
            limit=self.limit,
            is_newest_first=self.newest_first,
        )


# Not a class as the dependency, nor a plain function: those run in a thread of their own.
async def _ask(  # one a parameter of the request
    caller: Reader,
    run: RunParameter = None,
    after: AfterParameter = None,
    limit: LimitParameter = 100,
    from_time: FromParameter = None,
    to: ToParameter = None,
    *,
    newest_first: NewestParameter = False,
) -> AskedPage:
    return AskedPage(
        caller=caller,
        run=run,
        after=after,
        limit=limit,
        from_ns=time_ns(from_time, "from"),
        to_ns=time_ns(to, "to"),
        newest_first=newest_first,
    )


Asked = Annotated[AskedPage, Depends(_ask)]


def _accounts_of(caller: Caller, account: Value | None) -> Wanted | None:
    """Return which accounts are shown, None for all."""
    if account is not None:
        check_account(caller, str(account))
        return account
    own = tuple(sorted(caller.accounts))
    # An index by account knows the order of one alone.
    return own[0] if len(own) == 1 else own or None


def instrument_of(symbol: str | None) -> int | None:
    """Return the instrument of a checked symbol."""
    return None if symbol is None else parse_symbol(symbol)


def time_ns(moment: datetime | None, name: str) -> int | None:
    """Return a time in ns since the UTC epoch.

    Raises
    ------
    ProblemError
        If 64 bits do not hold it, or it is before 1970.
    """
    if moment is None:
        return None
    nanoseconds = (moment - _EPOCH) // _MICROSECOND * 1_000
    if not 0 <= nanoseconds < _NS_END:
        detail = f"{name} must be a time between 1970 and 2262, was {moment.isoformat()}"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return nanoseconds
