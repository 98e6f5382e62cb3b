"""Whether the server should receive traffic, and how it is told to drain.

Kubernetes runs ``tts-server drain`` in the container before it sends SIGTERM. The command creates a file in a folder
that only this user can write, and from then on the server answers /ready with 503. A file needs no port that others
could reach, and no process id, which would be a race. /dev/shm and an emptyDir outlive a container, so a restarted
container finds the old folder; the server removes the file when it starts.
"""

import os
import stat
import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path

BEFORE_EXIT_SECONDS = 30.0
"""How long what is no request may take after SIGTERM."""
_DRAIN_FILE = "draining"


class State(Enum):
    """The status that ``/ready`` reports."""

    LOADING = "loading"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    READY = "ready"
    DRAINING = "draining"


class RunFolderError(OSError):
    """The run folder cannot be used."""


def shared_memory_folder() -> Path:
    """Return a folder in memory, where gunicorn's heartbeat never waits for a disk, or else the temporary folder."""
    memory = Path("/dev/shm")  # noqa: S108 - not a file name: the mount point itself
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def prepare_private(path: Path) -> None:
    """Create a folder that only this user can use, or take over an earlier one. Raises :class:`RunFolderError`."""
    path.mkdir(mode=0o700, exist_ok=True)
    status = path.lstat()
    # Everyone can write to the parent, so a link or another user's folder is not to be trusted.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise RunFolderError(f"{path} is not a folder of this user. Remove it.")
    path.chmod(0o700)


class RunFolder:
    """The folder through which ``tts-server drain`` reaches the server of the same user on the same port."""

    def __init__(self, port: int, *, parent: Path | None = None) -> None:
        self.path = (parent or shared_memory_folder()) / f"tts-server-{os.getuid()}-{port}"
        self._drain_file = str(self.path / _DRAIN_FILE)

    def prepare(self) -> None:
        """Create the folder, or take over that of an earlier run. Raises :class:`RunFolderError`."""
        prepare_private(self.path)
        (self.path / _DRAIN_FILE).unlink(missing_ok=True)

    @property
    def in_hand(self) -> Path:
        """The folder with what jobs had in hand when the server died. Nothing removes it, for then it would be gone."""
        return self.path.with_name(f"{self.path.name}-in-hand")

    @property
    def exists(self) -> bool:
        """Whether a server of this user has run on this port."""
        return self.path.is_dir()

    def request_drain(self) -> None:
        """Ask the server to drain."""
        (self.path / _DRAIN_FILE).touch(mode=0o600)

    @property
    def drain_requested(self) -> bool:
        """Whether the server was asked to drain."""
        return os.path.exists(self._drain_file)  # noqa: PTH110 - called for every request: a Path costs five times as much

    def remove(self) -> None:
        """Remove the folder."""
        (self.path / _DRAIN_FILE).unlink(missing_ok=True)
        if self.path.is_dir():
            self.path.rmdir()


class Lifecycle:
    """The server's state, as probes see it."""

    def __init__(self, run_folder: RunFolder | None = None) -> None:
        self._run_folder = run_folder
        self._loaded = False
        self._stopping = False
        self._before_exit: list[Callable[[], object]] = []
        self._backend_problem: Callable[[], str] = lambda: ""

    @property
    def state(self) -> State:
        """The current state. Draining takes precedence over all others, and loading over what the backend does."""
        if self._stopping or (self._run_folder is not None and self._run_folder.drain_requested):
            return State.DRAINING
        if not self._loaded:
            return State.LOADING
        return State.BACKEND_UNAVAILABLE if self._backend_problem() else State.READY

    @property
    def backend_problem(self) -> str:
        """Why the backend of the engine cannot speak now. Empty while it can, and if there is none."""
        return self._backend_problem()

    def depends_on_backend(self, problem: Callable[[], str]) -> None:
        """Be ready only while ``problem`` returns nothing."""
        self._backend_problem = problem

    @property
    def stopping(self) -> bool:
        """Whether the server has received SIGTERM."""
        return self._stopping

    def loaded(self) -> None:
        """Record that the model is loaded and warmed up."""
        self._loaded = True

    def stop(self) -> None:
        """Record that the server has received SIGTERM."""
        self._stopping = True

    def before_exit(self, wait: Callable[[], object]) -> None:
        """Let the process exit only when this call has returned. It begins after the last request."""
        self._before_exit.append(wait)

    def wait_before_exit(self) -> None:
        """Wait for all that :meth:`before_exit` was told."""
        for wait in self._before_exit:
            wait()
