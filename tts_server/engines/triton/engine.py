"""The engine: texts and readings here, networks in a Triton."""

from tts_server.engines.backend.checking import CheckedBackend
from tts_server.engines.backend.requests import RequestRecorder, unnoted
from tts_server.engines.fastspeech2 import assets
from tts_server.engines.fastspeech2.baker import REVISION, Baker
from tts_server.engines.protocol import Session
from tts_server.engines.triton.contract import ACOUSTIC, VOCODER
from tts_server.engines.triton.remote import Caller, RemoteModels
from tts_server.engines.triton.session import RemoteNetworks, TritonSession
from tts_server.settings.triton import TritonSettings
from tts_server.text.script import plain_script

# So long that the vocoder gets windows of both lengths.
_TEST = "您好，这是一次语音检查，请稍等一下。"
_NOT_LOADED = "not-loaded"


class Triton(Baker):
    """The voice of ``fastspeech2``, whose networks a Triton runs, in batches of several texts."""

    name = "triton"

    def __init__(self, settings: TritonSettings) -> None:
        """Connects to nothing. Raises :class:`EngineError`."""
        super().__init__()
        models = (settings.acoustic_model, ACOUSTIC), (settings.vocoder_model, VOCODER)
        self._remote = RemoteModels(settings, models)
        self.backend = CheckedBackend(self._remote.availability, ask=self._remote.ask, speak=self._speak)

    @property
    def revision(self) -> str:
        """The front end, and the weights of both models as Triton's repository names them, once that is known."""
        return "-".join((REVISION, *(self._remote.revisions or (_NOT_LOADED,))))

    def load(self) -> None:
        """Read the front end, wait for Triton, and let it speak. Raises :class:`EngineError`."""
        self.read_front_end(assets.symbols_path())
        self.backend.wait()

    def open_session(self) -> Session:
        """Return a session with a connection of its own."""
        return self._new_session(self._remote.caller(), self.backend.requests.recorder())

    def _new_session(self, caller: Caller, recorder: RequestRecorder) -> TritonSession:
        networks = RemoteNetworks(caller, self._remote.loaded)
        return TritonSession(networks, self.front_end, self._remote.availability, recorder)

    def _speak(self) -> None:
        """Let Triton speak a sentence, and check the sound. Raises BackendError and its kin."""
        session = self._new_session(self._remote.for_checks(), unnoted())
        for sentence in self.plan(plain_script(_TEST)):
            for _ in session.synthesise(sentence):
                pass
