"""What goes wrong when an embedded server starts.

TidegateError
└── ServerStartError         the server did not come up; its last log lines are in the message
    └── ServerConfigError    ... and the user can mend it; also a ConfigError, so exit code 2
"""

from tidegate_common.errors import ConfigError, TidegateError


class ServerStartError(TidegateError):
    """An embedded server did not start, or did not answer in time."""


class ServerConfigError(ServerStartError, ConfigError):
    """An embedded server cannot start with the port, directory or machine it was given."""
