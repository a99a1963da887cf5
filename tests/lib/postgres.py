"""A private PostgreSQL for tests, from the distribution's binaries: own folder, Unix socket only, gone at the end.

The server refuses to run as root, so root starts it as the user `postgres`. Missing binaries are a failure and not a
skip: production runs on PostgreSQL, and a suite that leaves it out proves nothing of it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

START_SECONDS = 30


@dataclass
class Postgres:
    """A running cluster; `new_database` gives each test its own."""

    socket_folder: Path
    pid: int
    _number: count[int] = field(default_factory=count)

    def url(self, database: str) -> str:
        """SQLAlchemy's address of a database of the cluster, without a driver, as operators write it."""
        return f"postgresql://minhbach@/{database}?host={self.socket_folder}"

    def new_database(self) -> str:
        """Make an empty database and return its address."""
        name = f"test_{next(self._number)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A plain connection past SQLAlchemy."""
        return psycopg.connect(host=str(self.socket_folder), user="minhbach", dbname=database, autocommit=True)


@contextmanager
def running_postgres() -> Generator[Postgres]:
    """Start a cluster, and stop it by its process id."""
    initdb, server = find_binary("initdb"), find_binary("postgres")
    user: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="mbpg"))  # a short path: a socket's has at most 107 bytes
    try:
        if os.geteuid() == 0:
            account = _postgres_account()
            os.chown(folder, account.pw_uid, account.pw_gid)
            user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        data, log = folder / "data", folder / "log"
        made = subprocess.run(
            [initdb, "-D", data, "-U", "minhbach", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **user,
        )
        if made.returncode != 0:
            raise RuntimeError(f"initdb failed: {made.stderr}")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [server, "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
                cwd=folder,
                stdout=output,
                stderr=output,
                **user,
            )
        cluster = Postgres(folder, process.pid)
        try:
            _wait_until_ready(cluster, process, log)
            yield cluster
        finally:
            process.send_signal(signal.SIGINT)  # "fast": ends sessions that a failed test left open
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_binary(name: str) -> str:
    """A program of the newest PostgreSQL installed, or an error that says what to install."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[4].split(".")[0]))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        raise RuntimeError(f"PostgreSQL's {name} is not installed; tests need it: apt-get install postgresql")
    return path


def _postgres_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise RuntimeError(
            "root cannot run PostgreSQL and there is no user postgres: apt-get install postgresql"
        ) from None


def _wait_until_ready(cluster: Postgres, process: subprocess.Popen[Any], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            cluster.connect("postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.05)
        else:
            return
