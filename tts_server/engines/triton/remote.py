"""The models of a Triton as an engine sees them: whether they are there, and what they answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tts_server.engines.backend.availability import Availability
from tts_server.engines.protocol import BackendError, BackendRefusedError, EngineError
from tts_server.engines.triton.access import access
from tts_server.engines.triton.client import TritonClient, checked
from tts_server.engines.triton.contract import Array, Contract, ContractError, check_model, revision, versions
from tts_server.settings.triton import TritonSettings

_CHECK_SECONDS = 1.5
"""How long Triton may take to say what a model is, which it does in a millisecond."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that Triton has loaded. Only this version has the weights that the engine's revision stands for."""

    name: str
    version: int
    contract: Contract


class Caller:
    """Asks models over one connection. For one thread at a time."""

    def __init__(
        self,
        client: TritonClient,
        availability: Availability,
        *,
        seconds: float,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        """``seconds`` is the time limit of one request. Nothing is asked while ``give_up``."""
        self.client = client
        self._availability = availability
        self._seconds = seconds
        self._give_up = give_up

    def ask(self, model: Model, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of a model for one item of a batch. Raises BackendError and its kin."""
        if self._give_up():
            raise BackendError("Triton does not answer.", away=True)
        outputs = self.client.infer(model.name, model.version, model.contract, inputs, seconds=self._seconds)
        self._availability.heard()
        return checked(model.name, model.contract, outputs)


class RemoteModels:
    """Some models of one Triton."""

    def __init__(self, settings: TritonSettings, contracts: Sequence[tuple[str, Contract]]) -> None:
        """``contracts`` are names of models, and what each takes and gives. Connects to nothing. Raises EngineError."""
        if not settings.url:
            raise EngineError("The triton engine needs TTS_TRITON_URL, such as grpc://triton:8001.")
        self._settings = settings
        self._access = access(settings)
        self._contracts = contracts
        self._models: tuple[Model, ...] | None = None
        self._checks: Caller | None = None
        self.availability = Availability()
        self.revisions: tuple[str, ...] | None = None
        """What identifies the weights of each, once that is known."""

    def loaded(self) -> tuple[Model, ...]:
        """Return the models in the order of the contracts. Raises EngineError before :meth:`ask` has found them."""
        if self._models is None:
            raise EngineError("The engine is not loaded.")
        return self._models

    def ask(self) -> None:
        """Ask for all models: ready, as the contracts have them, and with the weights of the first time."""
        described = [self._described(*each) for each in self._contracts]
        found = tuple(each for _, each in described)
        if self.revisions is None:
            self.revisions = found
        elif found != self.revisions:
            # Cache keys and requests that are under way stand for the revision that was loaded.
            raise BackendRefusedError(
                f"Triton's models have another revision, {'-'.join(found)}, than {'-'.join(self.revisions)}, which "
                "this server has loaded. Restart the server."
            )
        self._models = tuple(model for model, _ in described)

    def caller(self) -> Caller:
        """Return a caller for a session, which gives up when Triton does not answer checks."""
        return self._new_caller(lambda: self.availability.silent)

    def for_checks(self) -> Caller:
        """Return the caller of the checks, which alone may wait for a Triton that is away."""
        if self._checks is None:  # not before, because the process may still fork
            self._checks = self._new_caller(lambda: False)
        return self._checks

    def _new_caller(self, give_up: Callable[[], bool]) -> Caller:
        seconds = self._settings.request_seconds
        return Caller(TritonClient(self._access), self.availability, seconds=seconds, give_up=give_up)

    def _described(self, name: str, contract: Contract) -> tuple[Model, str]:
        metadata, config = self.for_checks().client.describe(name, seconds=_CHECK_SECONDS)
        try:
            check_model(name, metadata, config, contract)
        except ContractError as error:
            raise BackendRefusedError(str(error)) from None
        return Model(name, versions(metadata)[-1], contract), revision(metadata, config)
