"""The exception tree of the platform.

TidegateError
├── ConfigError      the user's settings, arguments or files are wrong; a program exits with code 2
├── ContractError    a message breaks its contract; it becomes a dead letter, the stage goes on
├── TransientError   a server is away for now; back off, bounded, and try again
└── InvariantError   our own bug; crash, so that the supervisor restarts from a snapshot

Business refusals are not exceptions: they are decisions with a reason.
"""


class TidegateError(Exception):
    """Root of every error that the platform raises on purpose."""

    retryable = False


class ConfigError(TidegateError):
    """A setting, an argument or an input file is wrong: the user can mend it."""


class ContractError(TidegateError):
    """A message cannot be decoded or says something impossible."""


class TransientError(TidegateError):
    """A server did not answer; the same call may go through later."""

    retryable = True


class InvariantError(TidegateError):
    """A promise that this code makes to itself is broken."""
