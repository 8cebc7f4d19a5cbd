"""A run as PostgreSQL has it: its summary, with the hash that a backtest must have too."""

from collections.abc import AsyncIterator

from tidegate_common.domain.ids import RunId
from tidegate_common.events.outcome import OutcomeDigest, OutcomeStream, RunSummary
from tidegate_common.store.postgres import Pool
from tidegate_recorder.queries import (
    decision_payloads,
    fill_payloads,
    final_portfolio_payloads,
    order_payloads,
    run_summary,
)


async def summarise_recorded(
    pool: Pool,
    run_id: RunId,
    *,
    wall_s: float,
    dead_letters_before: int = 0,
) -> RunSummary:
    """Return the figures of a recorded run.

    Parameters
    ----------
    wall_s : seconds from the first beat until the run was whole.
    dead_letters_before : those that the log had before the run.
    """
    counts = await run_summary(pool, run_id)
    return RunSummary(
        run_id=run_id,
        beats=counts.beats,
        ticks=counts.ticks,
        scores=counts.scores,
        decisions_accepted=counts.decisions_accepted,
        decisions_rejected=dict(sorted(counts.decisions_rejected.items())),
        orders=counts.orders,
        fills=counts.fills,
        fees_fen=counts.fees_fen,
        final_nav_fen=counts.final_nav_fen,
        dead_letters=counts.dead_letters - dead_letters_before,
        wall_s=round(wall_s, 3),
        beats_per_s=round(counts.beats / wall_s, 1) if wall_s > 0 else 0.0,
        outcome_sha256=await outcome_sha256(pool, run_id),
    )


async def outcome_sha256(pool: Pool, run_id: RunId) -> str:
    """Return the hash of a recorded run's outcome."""
    digest = OutcomeDigest(run_id)
    streams: tuple[tuple[OutcomeStream, AsyncIterator[str]], ...] = (
        (OutcomeStream.DECISIONS, decision_payloads(pool, run_id)),
        (OutcomeStream.ORDERS, order_payloads(pool, run_id)),
        (OutcomeStream.FILLS, fill_payloads(pool, run_id)),
        (OutcomeStream.PORTFOLIOS, final_portfolio_payloads(pool, run_id)),
    )
    for stream, payloads in streams:
        async for payload in payloads:
            digest.add(stream, payload.encode())
    return digest.hexdigest()
