"""What makes the sound instead of the server: its settings, its container, and its volumes."""

import json
import math
from dataclasses import dataclass, field
from typing import Any

from tts_operator.api.backend import Backend, Triton, TritonRepository, Upstream, UpstreamVoice
from tts_operator.api.backend_container import BackendContainer, EnvVar, Volume
from tts_operator.api.quantity import quantity
from tts_operator.api.schema import ApiModel
from tts_operator.desired.pod.secret import CA_FILE, from_secret
from tts_operator.desired.pod.security import CONFINED
from tts_operator.json_object import Json

CONTAINER, WRITER = "backend", "write-models"
PORT_NAME, METRICS_PORT_NAME = "backend", "backend-metrics"
MODELS = "/models"
"""Where Triton reads its models."""
_OWN = "backend-"
"""How the names of the backend's volumes begin in a pod, which has others too."""
_WRITTEN, _WRITTEN_MOUNT = "written-models", "/written"
_CA = "/etc/tts-server/backend-ca"
_TRITON_HTTP, _TRITON_METRICS, _TRITON_READY = 8000, 8002, "/v2/health/ready"
_TRITON_LIVE = "/v2/health/live"
WRITER_RESOURCES: Json = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
"""Not those of the server: a change of them would replace a separate backend."""
_DRAIN_SECONDS = 10
"""How long a stopping pod of a separate backend continues to take requests."""
_LIVE_SECONDS = 300
"""A backend that does not answer for so long hangs. Many cannot answer while they speak, so it is long."""


@dataclass(frozen=True, kw_only=True)
class BackendClient:
    """The additions to the pod template of the servers."""

    env: list[Json]
    """Settings of the server."""
    mounts: list[Json]
    """Mounts of the server."""
    volumes: list[Json]
    init_containers: list[Json] = field(default_factory=list)
    """The sidecar, and what runs before it."""
    resource_claims: list[Json] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    """Labels of the pods: the separate backend that they ask."""


def port_of(backend: Backend) -> int:
    """The port that the server asks."""
    container = backend.container
    asked = container.port if container is not None else None
    return asked or (8000 if backend.triton is None else 8001)


def metrics_port_name(backend: Backend) -> str | None:
    """The name of the port that Prometheus asks; None if there is none."""
    number = _metrics_port(backend)
    if number is None:
        return None
    return PORT_NAME if number == port_of(backend) else METRICS_PORT_NAME


def _metrics_port(backend: Backend) -> int | None:
    container = backend.container
    if container is None:
        return None
    return container.metrics_port or (None if backend.triton is None else _TRITON_METRICS)


def port_in(template: Json) -> int:
    """The port of the backend in the template of its pods; 0 if it has none, which the API server rejects.

    Accepts any template, whatever it contains.
    """
    containers = _objects(template.get("spec", {}).get("containers"))
    ports = [port for each in containers for port in _objects(each.get("ports")) if port.get("name") == PORT_NAME]
    number = ports[0].get("containerPort") if ports else 0
    return number if isinstance(number, int) else 0


def _objects(node: Any) -> list[Json]:
    return [each for each in node if isinstance(each, dict)] if isinstance(node, list) else []


def environment(backend: Backend, host: str, revision: str, engine: str) -> list[Json]:
    """The settings of the server (docs/server.md).

    `host` is that of a backend with a container, and `revision` what tells its containers from others. `engine` is the
    one whose networks a Triton computes.
    """
    address = f"{host}:{port_of(backend)}"
    found: list[Json] = []
    if backend.triton is not None:
        found = _settings(_of_triton(backend.triton, address, engine))
        key, variable = backend.triton.api_key_secret_ref, "TTS_TRITON_API_KEY"
    elif backend.upstream is not None:
        found = _settings(_of_upstream(backend.upstream, address, revision))
        key, variable = backend.upstream.api_key_secret_ref, "TTS_UPSTREAM_API_KEY"
    else:  # the API server admits no such object
        key, variable = None, ""
    return [*found, *([from_secret(variable, key.name, key.key)] if key is not None else ())]


def _of_triton(triton: Triton, address: str, engine: str) -> dict[str, str]:
    return {
        "TTS_ENGINE": "triton",
        "TTS_TRITON_FRONT_END": engine,
        "TTS_TRITON_CA_FILE": f"{_CA}/{CA_FILE}" if triton.ca_secret_ref is not None else "",
        "TTS_TRITON_API_KEY_HEADER": triton.api_key_header if triton.api_key_secret_ref is not None else "",
        "TTS_TRITON_URL": triton.url or f"grpc://{address}",
        "TTS_TRITON_ACOUSTIC_MODEL": triton.acoustic_model,
        "TTS_TRITON_VOCODER_MODEL": triton.vocoder_model,
        "TTS_TRITON_SAMBERT_MODEL": triton.sambert_model,
        "TTS_TRITON_REQUEST_SECONDS": str(triton.request_timeout_seconds),
        "TTS_THREADS": str(triton.max_concurrent_requests),
    }


def _of_upstream(upstream: Upstream, address: str, revision: str) -> dict[str, str]:
    emotions = {each.name: each.instructions for each in upstream.emotions}
    return {
        "TTS_ENGINE": "upstream",
        "TTS_UPSTREAM_URL": upstream.url or f"http://{address}{upstream.base_path}",
        "TTS_UPSTREAM_MODEL": upstream.model,
        "TTS_UPSTREAM_VOICES": _text({each.name: _voice(each) for each in upstream.voices}),
        "TTS_UPSTREAM_EMOTIONS": _text(emotions) if emotions else "",
        "TTS_UPSTREAM_BODY": _text(upstream.body) if upstream.body else "",
        "TTS_UPSTREAM_FORMAT": upstream.response_format,
        "TTS_UPSTREAM_SAMPLE_RATE": str(upstream.sample_rate),
        "TTS_UPSTREAM_TAKES_SPEED": "yes" if upstream.speed_control == "Upstream" else "no",
        "TTS_UPSTREAM_SENTENCE_SYLLABLES": str(upstream.sentence_syllables),
        "TTS_UPSTREAM_READY_PATH": upstream.readiness_path,
        "TTS_UPSTREAM_READY_SECONDS": str(upstream.readiness_timeout_seconds),
        "TTS_UPSTREAM_FIRST_BYTE_SECONDS": str(upstream.first_byte_timeout_seconds),
        "TTS_UPSTREAM_IDLE_SECONDS": str(upstream.idle_timeout_seconds),
        "TTS_UPSTREAM_REVISION": "-".join(filter(None, (upstream.revision, revision))),
        "TTS_THREADS": str(upstream.max_concurrent_requests),
        "TTS_UPSTREAM_CA_FILE": f"{_CA}/{CA_FILE}" if upstream.ca_secret_ref is not None else "",
    }


def _voice(voice: UpstreamVoice) -> Json:
    asked = {"voice": voice.voice, "language": voice.language, "name": voice.display_name, "body": voice.body}
    return {name: value for name, value in asked.items() if value is not None}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _settings(values: dict[str, str]) -> list[Json]:
    # The kubelet expands $(NAME) in values, and turns $$ into $.
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in values.items() if value]


def server_volumes(backend: Backend) -> list[Json]:
    """The volumes of the server's pods that are not those of a sidecar."""
    kind = backend.upstream or backend.triton
    reference = kind.ca_secret_ref if kind is not None else None
    if reference is None:
        return []
    items = [{"key": reference.key, "path": CA_FILE}]
    return [{"name": "backend-ca", "secret": {"secretName": reference.name, "items": items}}]


def server_mounts(backend: Backend) -> list[Json]:
    """Where the server's container mounts them."""
    return [{"name": each["name"], "mountPath": _CA, "readOnly": True} for each in server_volumes(backend)]


def pod_parts(backend: Backend, server_image: str, *, sidecar: bool) -> Json:
    """The parts of a pod spec that run the backend: initContainers, containers, volumes, and resourceClaims.

    A sidecar is an init container that continues to run (KEP-753): it starts before the server, and stops after it, so
    that no request loses its backend. `server_image` writes Triton's models.
    """
    container = backend.container
    if container is None:
        return {}
    written = backend.triton.repository if backend.triton is not None else None
    volumes = [_volume(each) for each in backend.volumes]
    first: list[Json] = []
    if written is not None:
        first = [_writer(container, written, server_image)]
        volumes.append({"name": _WRITTEN, "emptyDir": {"sizeLimit": "1Gi"}})
    main = _container(backend, container, written=written is not None)
    claims = [_plain(each) for each in backend.resource_claims]
    return {
        "initContainers": [*first, {**main, "restartPolicy": "Always"}] if sidecar else first,
        # Until every kube-proxy sends new connections elsewhere.
        "containers": [] if sidecar else [{**main, "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN_SECONDS}}}}],
        "volumes": volumes,
        **({"resourceClaims": claims} if claims else {}),
    }


def _container(backend: Backend, container: BackendContainer, *, written: bool) -> Json:
    ports = [{"name": PORT_NAME, "containerPort": port_of(backend), "protocol": "TCP"}]
    if metrics_port_name(backend) == METRICS_PORT_NAME:
        ports.append({"name": METRICS_PORT_NAME, "containerPort": _metrics_port(backend), "protocol": "TCP"})
    context = dict(CONFINED)
    if container.run_as_user is not None:
        context |= {"runAsUser": container.run_as_user, "runAsGroup": container.run_as_user}
    mounts = [{**_plain(each), "name": f"{_OWN}{each.name}"} for each in container.volume_mounts]
    live = None if backend.triton is None else _TRITON_LIVE  # its readiness depends on each of its models
    if written:
        mounts.append({"name": _WRITTEN, "mountPath": MODELS, "subPath": "models", "readOnly": True})
    found: Json = {
        "name": CONTAINER,
        "image": container.image,
        "imagePullPolicy": container.image_pull_policy,
        **_command(backend, container),
        "env": [_variable(each) for each in container.env],
        "ports": ports,
        "resources": {name: value for name, value in _plain(container.resources).items() if value},
        "volumeMounts": mounts,
        # Until it has passed, no other probe runs, so that a loading model is not killed.
        "startupProbe": _probe(backend, container, every=2, failures=math.ceil(container.load_seconds / 2)),
        # Patient, because the server itself notices at once when a backend fails, and a busy one may answer late.
        "readinessProbe": _probe(backend, container, every=10, failures=3),
        "livenessProbe": _probe(backend, container, every=30, failures=_LIVE_SECONDS // 30, path=live),
        "securityContext": context,
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {name: value for name, value in found.items() if value != []}


def _command(backend: Backend, container: BackendContainer) -> Json:
    if backend.triton is not None and not container.command and not container.args:
        ports = {"grpc": port_of(backend), "http": container.readiness_port or _TRITON_HTTP}
        ports["metrics"] = container.metrics_port or _TRITON_METRICS
        # Without the tables that it prints at its start, a container that ends says why in its last lines.
        args = [f"--model-repository={MODELS}", "--log-info=false"]
        args += [f"--{name}-port={port}" for name, port in ports.items()]
        return {"command": ["tritonserver"], "args": args}
    return {"command": list(container.command), "args": list(container.args)}


def _probe(
    backend: Backend, container: BackendContainer, *, every: int, failures: int, path: str | None = None
) -> Json:
    """An HTTP probe, by default of the path that says whether the model is loaded. `every` is in seconds."""
    triton = backend.upstream is None
    port = container.readiness_port or (_TRITON_HTTP if triton else port_of(backend))
    usual = _TRITON_READY if backend.upstream is None else backend.upstream.readiness_path
    return {
        "httpGet": {"path": container.readiness_path or path or usual, "port": port},
        "periodSeconds": every,
        "timeoutSeconds": min(every, 10),
        "failureThreshold": failures,
    }


def _writer(container: BackendContainer, written: TritonRepository, image: str) -> Json:
    """The init container that writes Triton's model repository."""
    cpus = written.cpus or _cpus(container)
    args = {
        "--engine": "fastspeech2",
        "--output": f"{_WRITTEN_MOUNT}/models",
        "--cpus": str(cpus),
        "--max-batch": str(written.max_batch_size),
        "--delay-ms": str(written.max_queue_delay_milliseconds),
    }
    return {
        "name": WRITER,
        "image": image,
        # An init container runs again when its pod gets a new sandbox.
        "args": ["triton-repository", *(word for pair in args.items() for word in pair), "--replace"],
        "resources": WRITER_RESOURCES,
        "securityContext": {**CONFINED, "readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": _WRITTEN, "mountPath": _WRITTEN_MOUNT}],
    }


def _cpus(container: BackendContainer) -> int:
    """The CPUs that the container may use."""
    limit = container.resources.limits.get("cpu")
    return max(1, math.ceil(quantity(limit))) if limit is not None else 1


def _variable(variable: EnvVar) -> Json:
    found = _plain(variable)
    return found if "valueFrom" in found else {"name": variable.name, "value": variable.value or ""}


def _volume(volume: Volume) -> Json:
    return {"name": f"{_OWN}{volume.name}", **{kind: value for kind, value in _plain(volume).items() if kind != "name"}}


def _plain(part: ApiModel) -> Json:
    """A part of the spec that has the form of core/v1."""
    return part.model_dump(by_alias=True, exclude_none=True, mode="json")
