"""How each public quote service is asked: address, names of shares, size of a batch.

The services are for people's browsers: free, without a contract, and changed without notice. Ask
for few shares, seldom, and read their terms.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tidegate_ingest.engine.quote_text import QuoteSource
from tidegate_ingest.engine.quote_text.eastmoney import FIELDS


@dataclass(frozen=True, slots=True)
class QuoteService:
    """A service.

    path : path and query of a request for shares named like `sh600000`.
    batch_size : shares of one request; an address stays below 8,000 characters.
    """

    source: QuoteSource
    url: str
    path: Callable[[Sequence[str]], str]
    batch_size: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def address(self, codes: Sequence[str]) -> str:
        """Return the address that asks for some shares."""
        return f"{self.url.rstrip('/')}{self.path(codes)}"


def quote_services(urls: Mapping[QuoteSource, str]) -> dict[QuoteSource, QuoteService]:
    """Return the services, at addresses such as `https://qt.gtimg.cn`."""
    return {
        QuoteSource.SINA: QuoteService(
            source=QuoteSource.SINA,
            url=urls[QuoteSource.SINA],
            path=lambda codes: f"/list={','.join(codes)}",
            batch_size=400,
            # Without one of its own pages as referer Sina answers 403.
            headers={"Referer": "https://finance.sina.com.cn/"},
        ),
        QuoteSource.TENCENT: QuoteService(
            source=QuoteSource.TENCENT,
            url=urls[QuoteSource.TENCENT],
            path=lambda codes: f"/q={','.join(codes)}",
            batch_size=400,
        ),
        QuoteSource.EASTMONEY: QuoteService(
            source=QuoteSource.EASTMONEY,
            url=urls[QuoteSource.EASTMONEY],
            path=_eastmoney_path,
            batch_size=200,
        ),
    }


def service_code(symbol: str) -> str:
    """Return how the services name a share such as `600519.SH`: `sh600519`."""
    digits, _, exchange = symbol.partition(".")
    return f"{exchange.lower()}{digits}"


def _eastmoney_path(codes: Sequence[str]) -> str:
    shares = ",".join(f"{int(code.startswith('sh'))}.{code[2:]}" for code in codes)
    return f"/api/qt/ulist.np/get?fltt=2&fields={','.join(FIELDS)}&secids={shares}"
