"""The engine: texts and readings here, networks in a Triton."""

from tts_server.engines.backend.availability import Availability
from tts_server.engines.backend.checking import CheckedBackend
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.baker import REVISION, Baker
from tts_server.engines.protocol import BackendRefusedError, EngineError, Session
from tts_server.engines.triton.client import TritonClient
from tts_server.engines.triton.contract import (
    ACOUSTIC,
    VOCODER,
    Contract,
    ContractError,
    check_model,
    revision,
    versions,
)
from tts_server.engines.triton.session import Model, RemoteNetworks, TritonSession
from tts_server.settings import Settings
from tts_server.settings.triton import TritonSettings
from tts_server.text.script import plain_script

_CHECK_SECONDS = 1.5
"""How long Triton may take to say what a model is, which it does in a millisecond."""
_TEST = "您好，这是一次语音检查。"
_NOT_LOADED = "not-loaded"


class Triton(Baker):
    """The voice of ``fastspeech2``, whose networks a Triton runs, in batches of several texts."""

    name = "triton"

    def __init__(self, settings: TritonSettings) -> None:
        """Connects to nothing. Raises :class:`EngineError`."""
        super().__init__()
        if not settings.address:
            raise EngineError("The triton engine needs TTS_TRITON_URL, such as grpc://triton:8001.")
        self._settings = settings
        self._models: tuple[Model, Model] | None = None
        self._revisions: tuple[str, str] | None = None
        self._availability = Availability()
        self._checks: TritonClient | None = None
        self.backend = CheckedBackend(self._availability, ask=self._ask, speak=self._speak)

    @property
    def revision(self) -> str:
        """The front end, and the weights of both models as Triton's repository names them, once that is known."""
        return "-".join((REVISION, *(self._revisions or (_NOT_LOADED,))))

    def load(self) -> None:
        """Read the front end, wait for Triton, and let it speak. Raises :class:`EngineError`."""
        self.read_front_end(assets.symbols_path())
        self.backend.wait()

    def open_session(self) -> Session:
        """Return a session with a connection of its own."""
        return self._new_session(
            RemoteNetworks(
                TritonClient(self._settings.address),
                self._loaded_models,
                self._availability,
                seconds=self._settings.request_seconds,
                give_up=lambda: self._availability.silent,
            )
        )

    def _new_session(self, networks: RemoteNetworks) -> TritonSession:
        return TritonSession(networks, self.front_end, self._availability)

    def _loaded_models(self) -> tuple[Model, Model]:
        if self._models is None:
            raise EngineError("The engine is not loaded.")
        return self._models

    def _ask(self) -> None:
        """Ask for both models: ready, as the contract has them, and with the weights of the first time."""
        settings = self._settings
        acoustic = self._described(settings.acoustic_model, ACOUSTIC)
        vocoder = self._described(settings.vocoder_model, VOCODER)
        found = acoustic[1], vocoder[1]
        if self._revisions is None:
            self._revisions = found
        elif found != self._revisions:
            # Cache keys and requests that are under way stand for the revision that was loaded.
            raise BackendRefusedError(
                f"Triton's models have another revision, {'-'.join(found)}, than {'-'.join(self._revisions)}, which "
                "this server has loaded. Restart the server."
            )
        self._models = acoustic[0], vocoder[0]

    def _checking(self) -> TritonClient:
        """Return the client of the checks, which alone may wait for a Triton that is away."""
        if self._checks is None:  # not before, because the process may still fork
            self._checks = TritonClient(self._settings.address)
        return self._checks

    def _described(self, name: str, contract: Contract) -> tuple[Model, str]:
        metadata, config = self._checking().describe(name, seconds=_CHECK_SECONDS)
        try:
            check_model(name, metadata, config, contract)
        except ContractError as error:
            raise BackendRefusedError(str(error)) from None
        return Model(name, versions(metadata)[-1]), revision(metadata, config)

    def _speak(self) -> None:
        """Let Triton speak a sentence, and check the sound. Raises BackendError and its kin."""
        networks = RemoteNetworks(
            self._checking(), self._loaded_models, self._availability, seconds=self._settings.request_seconds
        )
        session = self._new_session(networks)
        for sentence in self.plan(plain_script(_TEST)):
            for _ in session.synthesise(sentence):
                pass


def create(settings: Settings) -> Triton:
    """Return the engine for the ``TTS_TRITON_*`` variables; raises EngineError."""
    return Triton(settings.triton)
