"""The real ``tritonserver`` of the wheel nvidia-pytriton as a process, with the Python backend, on CPUs.

Only the binaries are used, not pytriton itself, which starts models in its own way.
"""

import os
import shutil
import signal
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from devcluster.backends import local
from devcluster.host.guarded import Guarded

ENVIRONMENT = Path(__file__).parents[2] / "build" / "backends" / "triton"
"""The virtual environment of requirements/backends.lock."""
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_PAUSE_SECONDS = 0.1


class Tritonserver:
    """A process that can be killed and started again. Models are loaded and unloaded at will."""

    def __init__(
        self,
        repository: Path,
        folder: Path,
        options: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """``folder`` is for what it needs beside its models, and for its log.

        ``options`` are more of its own, and ``environ`` are more variables.
        """
        self.repository = repository
        [self.port] = local.free_ports(1)
        self.log = folder / "tritonserver.log"
        self._options = options
        self._environ = environ or {}
        self._backends = folder / "backends"
        self._site = next(ENVIRONMENT.glob("lib/python3*/site-packages"), Path("missing"))
        self._process: Guarded | None = None

    @property
    def address(self) -> str:
        """Its gRPC address, ``host:port``."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process, without waiting for its models."""
        home = self._site / "pytriton" / "tritonserver"
        if not home.is_dir():
            raise RuntimeError(f"There is no Triton in {ENVIRONMENT}. `make test-backends` installs it.")
        version = self._site.parent.name.removeprefix("python")
        backend = self._backends / "python"
        if not backend.exists():
            shutil.copytree(home / "backends" / "python", backend)
            shutil.copy(home / "python_backend_stubs" / version / "triton_python_backend_stub", backend)
        # The second is for the stub of the Python backend, which wants Python as a library.
        paths = [str(self._site / "nvidia_pytriton.libs"), str(sysconfig.get_config_var("LIBDIR"))]
        command = [
            str(home / "bin" / "tritonserver"),
            f"--model-repository={self.repository}",
            f"--backend-directory={self._backends}",
            "--model-control-mode=explicit",
            "--load-model=*",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self.port}",
            "--allow-http=false",
            "--allow-metrics=false",
            *self._options,
        ]
        environ = {
            "PATH": f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "LD_LIBRARY_PATH": os.pathsep.join(paths),
            **self._environ,
        }
        self._process = Guarded(command, self.log, environ)

    def wait_until_ready(self) -> None:
        """Return when all models can be asked. Raises RuntimeError with the log if that never happens."""
        deadline = time.monotonic() + _START_SECONDS
        with self.client() as client:
            while not _ready(client):
                if self._process:
                    self._process.check()
                if time.monotonic() > deadline:
                    raise RuntimeError(f"Triton does not start:\n{self.log.read_text(errors='replace')[-4000:]}")
                time.sleep(_PAUSE_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        if self._process:
            self._process.send(number)

    def kill(self) -> None:
        """Kill the process and those of its Python backend, and wait until it is gone."""
        self._end(patience=0)

    def stop(self) -> None:
        """Stop the process in good order, or else kill it."""
        self._end(patience=_STOP_SECONDS)

    def _end(self, *, patience: float) -> None:
        if self._process:
            self._process.close(patience)
            for each, _ in self._members():  # of the Python backend, if they have not noticed
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
        self._process = None

    @contextmanager
    def client(self) -> "Iterator[InferenceServerClient]":
        """Yield a client, with which models can be loaded and unloaded."""
        client = InferenceServerClient(self.address, channel_args=[("grpc.max_reconnect_backoff_ms", 500)])
        try:
            yield client
        finally:
            client.close()

    def executions(self, model: str) -> tuple[int, int]:
        """Return how many requests a model has computed so far, and in how many batches."""
        with self.client() as client:
            found = client.get_inference_statistics(model, as_json=True)["model_stats"]
        return (
            sum(int(each.get("inference_count", 0)) for each in found),
            sum(int(each.get("execution_count", 0)) for each in found),
        )

    def cpu_seconds(self) -> float:
        """Return how much CPU time the process and those of its Python backend have used."""
        return sum(seconds for _, seconds in self._members())

    def _members(self) -> list[tuple[int, float]]:
        """Return the ids of its processes, and the CPU time of each."""
        found = []
        for each in Path("/proc").glob("[0-9]*/stat"):
            try:
                # After the name, which may contain anything: state, parent, process group, ...
                fields = each.read_text().rpartition(")")[2].split()
            except OSError:  # it has ended
                continue
            if self._process and int(fields[2]) == self._process.group:
                ticks = int(fields[11]) + int(fields[12])
                found.append((int(each.parent.name), ticks / os.sysconf("SC_CLK_TCK")))
        return found


@contextmanager
def tritonserver(repository: Path, folder: Path, environ: Mapping[str, str] | None = None) -> "Iterator[Tritonserver]":
    """Start a Triton, yield it when it is ready, and stop it afterwards."""
    made = Tritonserver(repository, folder, environ=environ)
    made.start()
    try:
        made.wait_until_ready()
        yield made
    finally:
        made.stop()


def _ready(client: InferenceServerClient) -> bool:
    try:
        return bool(client.is_server_ready(client_timeout=1.0)) and bool(
            client.get_model_repository_index(as_json=True, client_timeout=1.0).get("models")
        )
    except InferenceServerException:
        return False
