"""One step of a cluster, really run: the program of `command-runner.jar` in a clean environment, until it ends or is ended."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from threading import Lock

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.primary_node import PrimaryNode
from infra.local.role_sessions import s3_client
from infra.local.step_archives import unpack_archives, without_archives
from infra.local.step_logs import StepLogs
from infra.local.step_process import end_session, interrupt_session, start_in_session
from jobs.errors import TidemarkError

_SECONDS_BETWEEN_PUSHES = 5.0


class StepRun:
    """Runs once; `interrupt` and `kill` may come from another thread at any time, also before there is a process."""

    def __init__(
        self, node: PrimaryNode, step_id: str, arguments: list[str], runtime_role: str | None, logs: StepLogs
    ) -> None:
        self._node = node
        self._step_id = step_id
        self._arguments = arguments
        self._runtime_role = runtime_role
        self._lock = Lock()
        self._process: Popen[bytes] | None = None
        self._is_ended = False
        self.logs = logs

    def run(self) -> int:
        """The exit code, when no process of the step is left and its logs are in S3."""
        folder = self._node.folder / "steps" / self._step_id
        self.logs.note(f"startExec 'command-runner.jar {shlex.join(self._arguments)}'")
        try:
            code = self._started_and_waited(folder)
        except (BotoCoreError, ClientError, OSError, TidemarkError) as error:
            with self.logs.path("stderr").open("a") as stderr:
                stderr.write(f"Exception in thread \"main\" Cannot run program '{self._arguments[0]}': {error}\n")
            code = 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.logs.note(f"waitProcessCompletion ended with exit code {code}")
        self.logs.push()
        return code

    def interrupt(self) -> None:
        with self._lock:
            self._is_ended = True
            if self._process is not None and self._process.returncode is None:
                interrupt_session(self._process.pid)

    def kill(self) -> None:
        with self._lock:
            self._is_ended = True
            if self._process is not None and self._process.returncode is None:
                end_session(self._process.pid)

    def _started_and_waited(self, folder: Path) -> int:
        process = self._start(folder)
        if process is None:
            return 1
        self.logs.note(f"ProcessRunner started child process {process.pid}")
        while True:
            try:
                code = process.wait(_SECONDS_BETWEEN_PUSHES)
            except TimeoutExpired:
                self.logs.note("Process still running")
                self.logs.push()
            else:
                end_session(process.pid)  # what it started and left
                return code

    def _start(self, folder: Path) -> Popen[bytes] | None:
        """None if the step was ended before it began."""
        home, work = folder / "home", folder / "work"
        home.mkdir(parents=True)
        work.mkdir()
        session = self._node.session(self._step_id, self._runtime_role)
        environment = self._node.environment(home, session)
        arguments = self._arguments
        if arguments[0] == "spark-submit":
            options, archives = without_archives(arguments[1:])
            unpack_archives(archives, work, s3_client(session))
            arguments = ["spark-submit", *options]
        # subprocess looks for the program on this process's own PATH
        program = shutil.which(arguments[0], path=environment["PATH"]) or arguments[0]
        with self._lock:
            if self._is_ended:
                return None
            out, errors = self.logs.path("stdout"), self.logs.path("stderr")
            self._process = start_in_session([program, *arguments[1:]], work, environment, out, errors)
            return self._process
