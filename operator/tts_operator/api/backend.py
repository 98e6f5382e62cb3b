"""`spec.backend`: another server that makes the sound, behind this one."""

from typing import Annotated, Any, Literal

from pydantic import Field

from tts_operator.api.backend_container import BackendContainer, PodResourceClaim, Volume
from tts_operator.api.model import VoiceName
from tts_operator.api.placement import Placement
from tts_operator.api.references import SecretKeyReference
from tts_operator.api.scaling import Behavior, Metric
from tts_operator.api.schema import ATOMIC, INT32, ApiModel, map_by, rule, rules

SERVER_PORT = 7860
"""The port of the server, which a sidecar cannot have."""
_FREE_FORM: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True, "type": "object"}
_HOST = r"([a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(:[1-9][0-9]{0,4})?"
ModelName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]


class UpstreamVoice(ApiModel):
    """A voice of the service, and how the upstream is asked for it."""

    name: VoiceName
    """Name that clients use."""
    voice: str | None = Field(None, min_length=1, max_length=200)
    """Its name at the upstream. Default: the same."""
    language: str = Field("zh-CN", max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")
    """Language of the voice, as a BCP 47 tag."""
    display_name: str | None = Field(None, max_length=200)
    """Name that people see. Default: the name."""
    body: dict[str, Any] | None = Field(None, json_schema_extra=_FREE_FORM)
    """More fields of the requests for this voice, such as `seed` or a reference recording."""


class UpstreamEmotion(ApiModel):
    """An emotion, and how the upstream is told."""

    name: VoiceName
    """Name that clients use, such as happy. `neutral` is what they get without one."""
    instructions: str = Field(max_length=4096)
    """The field `instructions` of the request, such as: Speak happily."""


_ONE_OF = "has(self.url) != has(self.container)"


class Upstream(ApiModel):
    """A server with OpenAI's speech API (`POST /v1/audio/speech`), such as Kokoro-FastAPI or vLLM-Omni."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                _ONE_OF,
                "set either backend.upstream.container, which the operator runs, or backend.upstream.url, a server "
                "that exists",
            ),
            rule(
                "!has(self.caSecretRef) || (has(self.url) && self.url.startsWith('https://'))",
                "backend.upstream.caSecretRef needs a backend.upstream.url that begins with https://",
            ),
        )
    }

    container: BackendContainer | None = None
    """The container that the operator runs."""
    url: str | None = Field(None, min_length=8, max_length=1024, pattern=rf"^https?://{_HOST}(/[A-Za-z0-9._~/-]*)?$")
    """URL of a server that exists, as OpenAI's clients take it: http://kokoro.speech:8880/v1."""
    base_path: str = Field("/v1", max_length=512, pattern=r"^/[A-Za-z0-9._~/-]*$")
    """Path of the API in the container: requests go to basePath + /audio/speech."""
    readiness_path: str = Field("/health", min_length=1, max_length=512, pattern=r"^/[!-~]*$")
    """Path that answers GET with 200 while the upstream is ready and its model is loaded."""
    model: str = Field("tts-1", min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")
    """Name of the model in the requests."""
    voices: list[UpstreamVoice] = Field(min_length=1, max_length=64, json_schema_extra=map_by("name"))
    """Voices of the service. The first one is the default."""
    emotions: list[UpstreamEmotion] = Field([], max_length=32, json_schema_extra=map_by("name"))
    """Emotions of the service. Default: only neutral."""
    body: dict[str, Any] | None = Field(None, json_schema_extra=_FREE_FORM)
    """More fields of each request. Strings may contain ${voice}, ${language}, ${emotion}, and ${instructions}."""
    response_format: Literal["wav", "pcm"] = "wav"
    """Audio format to request. Choose pcm if the upstream streams only that."""
    sample_rate: int = Field(24000, ge=8000, le=48000, json_schema_extra=INT32)
    """Sample rate of the service, in Hz. It is also that of PCM audio whose response names no other."""
    speed_control: Literal["Server", "Upstream"] = "Server"
    """Who applies `speed`: the server, which changes the speed of the audio, or the upstream. Many upstreams ignore
    it."""
    sentence_syllables: int = Field(40, ge=5, le=200, json_schema_extra=INT32)
    """Maximum length of the text of a request, in syllables. Longer sentences become several requests."""
    max_concurrent_requests: int = Field(8, ge=1, le=64, json_schema_extra=INT32)
    """Maximum number of requests that each server has open at the upstream. Others wait, or get a 503 response."""
    first_byte_timeout_seconds: int = Field(10, ge=1, le=600, json_schema_extra=INT32)
    """How long the first audio of a request may take."""
    idle_timeout_seconds: int = Field(5, ge=1, le=600, json_schema_extra=INT32)
    """How long the audio may pause after that."""
    readiness_timeout_seconds: int = Field(3, ge=1, le=60, json_schema_extra=INT32)
    """How long readinessPath may take to answer. Raise it for an upstream that cannot answer while it speaks."""
    api_key_secret_ref: SecretKeyReference | None = None
    """Key of a Secret that contains the API key of the upstream. Default: none is sent. After a change of the Secret,
    run kubectl rollout restart deployment/NAME."""
    ca_secret_ref: SecretKeyReference | None = None
    """Key of a Secret that contains the certificates, in PEM, that the upstream's own must be signed by. Default: those
    of public authorities."""
    revision: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[!-~]+$")
    """Identifies the version of the upstream at `url`. Change it when the sound changes: that starts a rollout, and
    cached audio of another version is not used. A container needs none, because its image and settings identify it."""


class TritonRepository(ApiModel):
    """A model repository with the bundled voice, which an init container writes.

    Triton needs its Python backend with the packages ai-edge-litert, numpy, and openvino.
    """

    cpus: int | None = Field(None, ge=1, le=256, json_schema_extra=INT32)
    """CPUs that Triton uses. Default: the limit of the container for cpu, rounded up, or 1 without one."""
    max_batch_size: int = Field(16, ge=1, le=256, json_schema_extra=INT32)
    """Maximum number of windows in a batch."""
    max_queue_delay_milliseconds: int = Field(2, ge=0, le=100, json_schema_extra=INT32)
    """How long an incomplete batch waits for more."""


class Triton(ApiModel):
    """A Triton Inference Server, which computes the networks of model.engine."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                _ONE_OF,
                "set either backend.triton.container, which the operator runs, or backend.triton.url, a Triton that "
                "exists",
            ),
            rule(
                "!has(self.repository) || has(self.container)",
                "backend.triton.repository needs backend.triton.container: a Triton at a URL has its own models",
            ),
            rule(
                "!has(self.repository) || !has(self.container) || !has(self.container.volumeMounts)"
                " || self.container.volumeMounts.all(m, m.mountPath != '/models')",
                "backend.triton.repository is mounted at /models: remove it, or the volumeMounts entry for that path",
            ),
            rule(
                "!has(self.caSecretRef) || (has(self.url) && self.url.startsWith('grpcs://'))",
                "backend.triton.caSecretRef needs a backend.triton.url that begins with grpcs://",
            ),
            rule(
                "!has(self.apiKeySecretRef) || (has(self.url) && self.url.startsWith('grpcs://'))",
                "backend.triton.apiKeySecretRef needs a backend.triton.url that begins with grpcs://, or everyone could"
                " read the key",
            ),
        )
    }

    container: BackendContainer | None = None
    """The container that the operator runs. Without args, it reads its models from /models."""
    url: str | None = Field(None, min_length=8, max_length=512, pattern=rf"^grpcs?://{_HOST}$")
    """Address of a Triton that exists, for gRPC: grpc://triton.speech:8001, or grpcs://, with TLS."""
    repository: TritonRepository | None = None
    """Writes a model repository with the bundled voice to /models. Without it, mount one there: see
    `tts-server triton-repository`."""
    acoustic_model: ModelName = "acoustic"
    """The model in the repository that turns phonemes into a mel spectrogram."""
    vocoder_model: ModelName = "vocoder"
    """The model that turns windows of a mel spectrogram into samples."""
    sambert_model: ModelName = "sambert"
    """With model.engine modelscope, the model that turns symbols into samples."""
    max_concurrent_requests: int = Field(16, ge=1, le=64, json_schema_extra=INT32)
    """Maximum number of texts that each server sends to Triton at the same time. Their windows share batches."""
    api_key_secret_ref: SecretKeyReference | None = None
    """Key of a Secret that contains the API key of the Triton at `url`, or of the proxy in front of it. Default: none
    is sent. After a change of the Secret, run kubectl rollout restart deployment/NAME."""
    api_key_header: str = Field("authorization", min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    """Header that carries the key: `Bearer KEY` in authorization, the key alone in any other. For Triton's
    --grpc-restricted-protocol: triton-grpc-protocol- and the name that you gave it there."""
    ca_secret_ref: SecretKeyReference | None = None
    """Key of a Secret that contains the certificates, in PEM, that Triton's own must be signed by. Default: those of
    public authorities."""
    request_timeout_seconds: int = Field(5, ge=1, le=300, json_schema_extra=INT32)
    """How long Triton may take for one request: the mel spectrogram of a sentence, or up to 3.6 seconds of samples.
    With model.engine modelscope: a sentence."""


class BackendAutoscaling(ApiModel):
    """Scales a separate backend (HorizontalPodAutoscaler). CPU says nothing about a GPU: scale by what waits."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.minReplicas <= self.maxReplicas",
                "backend.autoscaling.minReplicas must not exceed backend.autoscaling.maxReplicas: lower the one, or "
                "raise the other",
            ),
        )
    }

    min_replicas: int = Field(2, ge=1, le=1000, json_schema_extra=INT32)
    """Minimum number of pods."""
    max_replicas: int = Field(10, ge=1, le=1000, json_schema_extra=INT32)
    """Maximum number of pods."""
    metrics: list[Metric] = Field(min_length=1, max_length=16, json_schema_extra=ATOMIC)
    """Metrics to scale by, such as nv_inference_queue_duration_us of the pods, or tts_queue_wait_seconds of the
    servers. The one that needs the most pods decides."""
    behavior: Behavior | None = None
    """How fast the number of pods changes. Kubernetes' default: up immediately, down after five minutes."""


def _mounts_exist(kind: str) -> str:
    return (
        f"!has(self.{kind}) || !has(self.{kind}.container) || !has(self.{kind}.container.volumeMounts)"
        f" || self.{kind}.container.volumeMounts.all(m,"
        " has(self.volumes) && self.volumes.exists(v, v.name == m.name))"
    )


def _claims_exist(kind: str) -> str:
    resources = f"self.{kind}.container.resources"
    claims = f"{resources}.claims"
    return (
        f"!has(self.{kind}) || !has(self.{kind}.container) || !has({resources}) || !has({claims})"
        f" || {claims}.all(m, has(self.resourceClaims) && self.resourceClaims.exists(c, c.name == m.name))"
    )


def _has_container(kind: str) -> str:
    return f"(has(self.{kind}) && has(self.{kind}.container))"


_CONTAINER = f"({_has_container('upstream')} || {_has_container('triton')})"


def _no_port(kind: str) -> str:
    at = f"self.{kind}.container"
    ports = " && ".join(
        f"(!has({at}.{name}) || {at}.{name} != {SERVER_PORT})" for name in ("port", "metricsPort", "readinessPort")
    )
    return f"(!{_has_container(kind)} || ({ports}))"


class Backend(ApiModel):
    """A server of another model that makes the sound.

    Text, caches, limits, keys, metrics, and jobs stay with the service's own server, which is its only client.
    """

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.upstream) != has(self.triton)",
                "set either backend.upstream, a server with OpenAI's speech API, or backend.triton",
            ),
            rule(
                f"self.mode == 'Sidecar' || {_CONTAINER}",
                "backend.mode Separate needs a container: a backend at a URL runs elsewhere",
            ),
            rule(
                "self.mode == 'Separate' || !(has(self.replicas) || has(self.autoscaling) || has(self.placement))",
                "backend.replicas, backend.autoscaling, and backend.placement need backend.mode: Separate. A sidecar "
                "runs in each pod of the service: set replicas, autoscaling, and placement of the spec",
            ),
            rule(
                "!(has(self.replicas) && has(self.autoscaling))",
                "backend.replicas and backend.autoscaling are mutually exclusive: remove one of them",
            ),
            rule(
                f"{_CONTAINER} || !(has(self.volumes) || has(self.resourceClaims))",
                "backend.volumes and backend.resourceClaims need a container: a backend at a URL runs elsewhere",
            ),
            rule(
                f"({_mounts_exist('upstream')}) && ({_mounts_exist('triton')})",
                "each volumeMounts[].name of the backend's container must be one of backend.volumes: add it there",
            ),
            rule(
                f"({_claims_exist('upstream')}) && ({_claims_exist('triton')})",
                "each resources.claims[].name of the backend's container must be one of backend.resourceClaims: add "
                "it there",
            ),
            rule(
                f"self.mode == 'Separate' || ({_no_port('upstream')} && {_no_port('triton')})",
                f"port {SERVER_PORT} of the pod is that of the service's own server: choose another one for the "
                "sidecar, or set backend.mode: Separate",
            ),
        )
    }

    upstream: Upstream | None = None
    """A server with OpenAI's speech API."""
    triton: Triton | None = None
    """A Triton Inference Server, which computes the networks of model.engine."""
    mode: Literal["Sidecar", "Separate"] = "Sidecar"
    """Where the container runs: as a sidecar in each pod of the service, or in pods of its own, which scale separately.
    Separate backends of the old and the new revision run side by side during a rollout."""
    replicas: int | None = Field(None, ge=1, le=1000, json_schema_extra=INT32)
    """Number of pods of a separate backend. Default: 2."""
    autoscaling: BackendAutoscaling | None = None
    """Scales a separate backend, instead of a fixed number of replicas."""
    placement: Placement | None = None
    """Where the pods of a separate backend run, such as on nodes with GPUs. Default: anywhere, over zones where
    possible."""
    volumes: list[Volume] = Field([], max_length=16, json_schema_extra=map_by("name"))
    """Volumes of the pods, for model files and shared memory."""
    resource_claims: list[PodResourceClaim] = Field([], max_length=8, json_schema_extra=map_by("name"))
    """Claims of the pods, such as for a GPU (dynamic resource allocation)."""

    @property
    def container(self) -> BackendContainer | None:
        """The container that the operator runs; None for a backend at a URL."""
        kind = self.upstream or self.triton
        return kind.container if kind is not None else None

    @property
    def is_separate(self) -> bool:
        """Whether the backend has pods of its own."""
        return self.mode == "Separate" and self.container is not None
