"""Whether the server should get traffic, and how it is told to stop wanting any.

Kubernetes runs ``tts-server drain`` inside the container before it sends SIGTERM. The command leaves a file in a
folder that only this user can write, and the server answers /ready with 503 from then on: no port, so nobody outside
can do it, and no process id, so no race. A container that is restarted finds the folder of the one before it
(/dev/shm and an emptyDir outlive a container), so the server starts by removing the file.
"""

import os
import stat
import tempfile
from enum import Enum
from pathlib import Path

_DRAIN_FILE = "draining"


class State(Enum):
    """What ``/ready`` says."""

    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"


class RunFolderError(OSError):
    """The run folder cannot be used."""


def shared_memory_folder() -> Path:
    """Return a folder in memory, where gunicorn's heartbeat never waits for a disk; else the temporary one."""
    memory = Path("/dev/shm")  # noqa: S108 - not a file name: the mount point itself
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


class RunFolder:
    """The folder by which ``tts-server drain`` reaches the server of the same user on the same port."""

    def __init__(self, port: int, *, parent: Path | None = None) -> None:
        self.path = (parent or shared_memory_folder()) / f"tts-server-{os.getuid()}-{port}"
        self._drain_file = str(self.path / _DRAIN_FILE)

    def prepare(self) -> None:
        """Make the folder, or take over that of an earlier run; raises :class:`RunFolderError`."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        status = self.path.lstat()
        # The parent is writable for all: somebody else's folder, or a link, is not to be trusted.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise RunFolderError(f"{self.path} belongs to somebody else.")
        self.path.chmod(0o700)
        (self.path / _DRAIN_FILE).unlink(missing_ok=True)

    @property
    def exists(self) -> bool:
        """Whether a server of this user has run on this port."""
        return self.path.is_dir()

    def request_drain(self) -> None:
        """Ask the server to want no more traffic."""
        (self.path / _DRAIN_FILE).touch(mode=0o600)

    @property
    def drain_requested(self) -> bool:
        """Whether the server was asked to drain."""
        return os.path.exists(self._drain_file)  # noqa: PTH110 - asked at every request: a Path would cost five times more

    def remove(self) -> None:
        """Leave nothing behind."""
        (self.path / _DRAIN_FILE).unlink(missing_ok=True)
        if self.path.is_dir():
            self.path.rmdir()


class Lifecycle:
    """The server's state, as probes see it."""

    def __init__(self, run_folder: RunFolder | None = None) -> None:
        self._run_folder = run_folder
        self._loaded = False
        self._stopping = False

    @property
    def state(self) -> State:
        """Draining wins over ready, and ready over loading."""
        if self._stopping or (self._run_folder is not None and self._run_folder.drain_requested):
            return State.DRAINING
        return State.READY if self._loaded else State.LOADING

    def loaded(self) -> None:
        """The model is loaded and warmed."""
        self._loaded = True

    def stop(self) -> None:
        """SIGTERM came."""
        self._stopping = True
