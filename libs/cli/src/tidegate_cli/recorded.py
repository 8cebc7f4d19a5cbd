"""A run as PostgreSQL has it: its summary, with the hash that a backtest must have too."""

from tidegate_common.domain.ids import RunId
from tidegate_common.events.outcome import RunSummary
from tidegate_common.store.postgres import Pool
from tidegate_recorder.queries import outcome_sha256, run_summary


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
