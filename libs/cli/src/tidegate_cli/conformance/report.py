"""What recorded days said of the rule book, as Markdown."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tidegate_cli.conformance.daily import Day, Rule, RuleCount
from tidegate_cli.conformance.recordings import Conformance
from tidegate_cli.rules.markdown import date_or_open, table_lines
from tidegate_common.domain.enums import ListingStage
from tidegate_common.domain.ids import format_symbol
from tidegate_common.market.answers import date_text
from tidegate_common.market.tables import describe_limit


def conformance_lines(conformance: Conformance) -> Iterator[str]:
    """Yield the lines of the report."""
    rules = merge_rules(conformance)
    unexplained = sum(len(rule.unexplained) for rule in rules)
    exceptions = sum(len(rule.exceptions) for rule in rules)
    yield (
        f"{conformance.row_count:,} days of instruments were held against the rule book: high and "
        "low must lie within the limits computed from the day's ex-rights reference price. "
        f"{exceptions} days lie beyond the plain limit of their board and are explained by another "
        f"rule; **{unexplained} are unexplained**."
    )
    yield ""
    yield "### By file"
    yield ""
    yield from _file_lines(conformance)
    yield ""
    yield (
        "An ex-rights day is one whose reference price is not the close before it; `explained by "
        "it` are those whose prices lie beyond limits computed from that close."
    )
    yield ""
    yield "### By rule"
    yield ""
    yield from _rule_lines(rules)
    yield ""
    yield (
        f"{ListingStage.RISK_WARNING_IN_DOUBT.name}: the file does not say who is ST, so the rule "
        "book answers UNKNOWN where that makes a difference; these days are held against the wider "
        "of the two bands."
    )
    yield ""
    yield "### Days beyond the plain limit, by the rule that explains them"
    yield ""
    for rule in rules:
        if rule.exceptions:
            name, count = _rule_name(rule.rule), len(rule.exceptions)
            yield f"- {name}, {_rule_text(rule.rule)} ({count}): {_day_names(rule.exceptions)}"
        if rule.unexplained:
            name, count = _rule_name(rule.rule), len(rule.unexplained)
            yield f"- **unexplained**, {name} ({count}): {_day_names(rule.unexplained)}"
    yield ""
    yield "### Limits as exchanges and vendors quoted them"
    yield ""
    yield from _quote_lines(conformance)


def merge_rules(conformance: Conformance) -> tuple[RuleCount, ...]:
    """Return what each rule met over all files."""
    merged: dict[Rule, RuleCount] = {}
    for count in (each for file in conformance.files for each in file.rules):
        other = merged.get(count.rule)
        merged[count.rule] = count if other is None else _sum(other, count)
    return tuple(sorted(merged.values(), key=lambda count: _order(count.rule)))


def _sum(one: RuleCount, other: RuleCount) -> RuleCount:
    return replace(
        one,
        row_count=one.row_count + other.row_count,
        high_at_limit_count=one.high_at_limit_count + other.high_at_limit_count,
        low_at_limit_count=one.low_at_limit_count + other.low_at_limit_count,
        exceptions=one.exceptions + other.exceptions,
        unexplained=one.unexplained + other.unexplained,
    )


def _order(rule: Rule) -> tuple[int, int, int]:
    return rule.board, rule.stage, rule.row.effective_from if rule.row is not None else 0


def _file_lines(conformance: Conformance) -> Iterator[str]:
    rows = []
    totals = [0] * 6
    for file in conformance.files:
        counts = [
            file.row_count,
            file.suspended_count,
            sum(len(rule.exceptions) for rule in file.rules),
            file.ex_rights_count,
            len(file.ex_rights_exceptions),
            sum(len(rule.unexplained) for rule in file.rules),
        ]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        rows.append((f"`{file.name}`", *_counts(counts)))
    rows.append(("all", *_counts(totals)))
    header = (
        *("file", "days checked", "suspended days", "beyond the plain limit"),
        *("ex-rights days", "explained by it", "unexplained"),
    )
    yield from table_lines(header, rows)


def _rule_lines(rules: Iterable[RuleCount]) -> Iterator[str]:
    header = (
        *("rule", "limit", "from", "to", "conf.", "days checked"),
        *("high at limit", "low at limit", "exceptions", "unexplained", "source"),
    )
    rows = []
    for count in rules:
        row = count.rule.row
        rows.append(
            (
                _rule_name(count.rule),
                _rule_text(count.rule),
                date_or_open(row.effective_from) if row is not None else "",
                date_or_open(row.effective_to) if row is not None else "",
                row.confidence.name if row is not None else "",
                *_counts(
                    [
                        count.row_count,
                        count.high_at_limit_count,
                        count.low_at_limit_count,
                        len(count.exceptions),
                        len(count.unexplained),
                    ]
                ),
                row.source if row is not None else "",
            )
        )
    yield from table_lines(header, rows)


def _quote_lines(conformance: Conformance) -> Iterator[str]:
    header = ("file", "quotes", "equal to the computed", "not listed, none quoted", "unexplained")
    rows = [
        (
            f"`{quote.name}`",
            *_counts([quote.quote_count, quote.equal_count, quote.without_limit_count]),
            "; ".join(quote.unexplained) or "0",
        )
        for quote in conformance.quotes
    ]
    yield from table_lines(header, rows)


def _rule_name(rule: Rule) -> str:
    return f"{rule.board.name} {rule.stage.name}"


def _rule_text(rule: Rule) -> str:
    return describe_limit(rule.row.value) if rule.row is not None else "UNKNOWN"


def _day_names(days: Iterable[Day]) -> str:
    ordered = sorted(days, key=lambda day: (day.trade_date, day.instrument))
    return ", ".join(f"{format_symbol(d.instrument)} {date_text(d.trade_date)}" for d in ordered)


def _counts(counts: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{count:,}" for count in counts)
