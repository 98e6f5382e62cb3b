"""The pod template of the model server. A change here reaches pods with the next revision of their service."""

from typing import Any

from tts_operator import __version__
from tts_operator.api import TTSService
from tts_operator.api.model import EmptyDir, Storage
from tts_operator.api.references import SecretKeyReference
from tts_operator.api.server import Image
from tts_operator.api.status import SpreadInForce
from tts_operator.desired.identity import CANDIDATE, NAME_LABEL, candidate_labels, common_labels, selector_labels
from tts_operator.desired.pod import jobs
from tts_operator.desired.pod.backend import BackendClient
from tts_operator.desired.pod.placement import placed
from tts_operator.desired.pod.probe import CONTAINER
from tts_operator.desired.pod.probe import environment as probe_environment
from tts_operator.desired.pod.security import CONFINED, RESTRICTED
from tts_operator.desired.pod.spread import constraints
from tts_operator.desired.pod.strategic_merge import merged
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring

PORT = 7860
LOAD_SECONDS = 600
"""How long a model may load before the startup probe fails."""
MODEL_FOLDER = "/models"
"""Mount path of the files of a model that is not part of the image."""
LEXICON_FOLDER, LEXICON_FILE = "/etc/tts-server/lexicon", "lexicon.yaml"
"""Mount path of the lexicon. A folder and not only its file, which would not follow a change of the ConfigMap."""
DRAIN_SECONDS = 5
"""How long a stopping pod continues to serve, until every kube-proxy and ingress has removed it."""
GRACE_SECONDS = 60
"""From preStop to SIGKILL: the drain, the longest request or what a worker of jobs has in hand (30 s), and a margin."""

CONTAINERS = ("initContainers", "containers")
PRIVILEGES = {"privileged", "allowPrivilegeEscalation", "capabilities"}


def pod_template(
    service: TTSService,
    default_image: str,
    spread: SpreadInForce,
    keyring: Keyring | None = None,
    client: BackendClient | None = None,
) -> Json:
    """Build the pod template.

    `client` is what the server needs to ask its backend; None without one.
    `default_image` runs if the spec names no image. `spread` says how strictly pods are spread over zones. Without a
    `keyring`, pods that require API keys do not trust the operator, and pods do not sign their Redis entries.
    """
    spec = service.spec
    pod: Json = {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": RESTRICTED,
        **({"initContainers": [_fetch(service, default_image)]} if _is_fetched(service) else {}),
        "containers": [_server(service, default_image, keyring)],
        "volumes": _volumes(service),
        **placed(spec.placement),
        "topologySpreadConstraints": constraints(selector_labels(service), spec.placement.zone_spread, spread),
    }
    labels = common_labels(service)
    if client is not None:
        pod = _with_backend(pod, client)
        labels |= client.labels
    if spec.image.pull_secrets:
        pod["imagePullSecrets"] = [{"name": secret.name} for secret in spec.image.pull_secrets]
    template = merged({"metadata": {"labels": labels}, "spec": pod}, spec.pod_template or {})
    # podTemplate must not change these: the Deployment and the Service select the pods by them.
    template["metadata"]["labels"] = {**template["metadata"].get("labels", {}), **labels}
    template["spec"] = _confined(template["spec"])
    return template


def _with_backend(pod: Json, client: BackendClient) -> Json:
    """Add what the server needs to ask its backend, and a sidecar."""
    server, *others = pod["containers"]
    server = {
        **server,
        "env": [*(each for each in server["env"] if each["name"] != "TTS_ENGINE"), *client.env],
        "volumeMounts": [*server["volumeMounts"], *client.mounts],
    }
    changed = {"containers": [server, *others], "volumes": [*pod["volumes"], *client.volumes]}
    first = [*pod.get("initContainers", ()), *client.init_containers]
    started = {"initContainers": first} if first else {}
    claims = {"resourceClaims": client.resource_claims} if client.resource_claims else {}
    return {**pod, **changed, **started, **claims}


def _confined(pod: Json) -> Json:
    """Set the restricted securityContext on each container, such as a sidecar, that does not set its privileges."""
    return {name: _confined_all(value) if name in CONTAINERS else value for name, value in pod.items()}


def _confined_all(containers: Any) -> Any:
    if not isinstance(containers, list):
        return containers  # the API server will reject it
    return [_confined_one(each) if isinstance(each, dict) else each for each in containers]


def _confined_one(container: Json) -> Json:
    context = container.get("securityContext") or {}
    if not isinstance(context, dict) or PRIVILEGES & context.keys():
        return container
    return {**container, "securityContext": {**context, **CONFINED}}


def as_candidate(service: TTSService, template: Json) -> Json:
    """Return the template with the candidate's labels, and with spread constraints among candidate pods."""
    spread = template["spec"].get("topologySpreadConstraints", [])
    if isinstance(spread, list):  # podTemplate may contain anything
        spread = [_among_candidates(service, each) for each in spread]
    return {
        "metadata": {**template["metadata"], "labels": {**template["metadata"]["labels"], NAME_LABEL: CANDIDATE}},
        "spec": {**template["spec"], "topologySpreadConstraints": spread},
    }


def _among_candidates(service: TTSService, constraint: Any) -> Any:
    """Change a spread constraint on the stable pods to the candidate pods."""
    if not isinstance(constraint, dict) or constraint.get("labelSelector") != {"matchLabels": selector_labels(service)}:
        return constraint
    return {**constraint, "labelSelector": {"matchLabels": candidate_labels(service)}}


def image_reference(image: Image, default_image: str) -> str:
    """The image reference. Without a tag or digest, the tag is that of the default image."""
    if image.repository is None:
        return default_image
    if image.digest:
        return f"{image.repository}@{image.digest}"
    return f"{image.repository}:{image.tag or _tag(default_image)}"


def _tag(reference: str) -> str:
    """The tag of an image reference; by default, the operator's version."""
    tag = reference.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return tag or f"v{__version__}"


def _fetch(service: TTSService, default_image: str) -> Json:
    """The init container that fetches the model into its volume, so that the server needs no network."""
    server = _server(service, default_image)
    same = ("image", "imagePullPolicy", "resources", "securityContext", "terminationMessagePolicy", "volumeMounts")
    env = [each for each in server["env"] if each["name"].startswith("TTS_MODEL_")]
    return {"name": "fetch", "args": ["fetch"], "env": env, **{field: server[field] for field in same}}


def _server(service: TTSService, default_image: str, keyring: Keyring | None = None) -> Json:
    spec = service.spec
    return {
        "name": CONTAINER,
        "image": image_reference(spec.image, default_image),
        "imagePullPolicy": spec.image.pull_policy,
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment(service, keyring),
        "resources": {
            "requests": {"cpu": spec.resources.requests.cpu, "memory": spec.resources.requests.memory},
            "limits": {"cpu": spec.resources.limits.cpu, "memory": spec.resources.limits.memory},
        },
        # The other probes start after the startup probe has passed, so a loading model is never killed.
        "startupProbe": _probe("/ready", every=1, failures=LOAD_SECONDS),
        "livenessProbe": _probe("/health", every=30, failures=3),
        "readinessProbe": _probe("/ready", every=10, failures=2),
        "lifecycle": {"preStop": {"exec": {"command": ["tts-server", "drain"]}}},
        "securityContext": {**CONFINED, "readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the path inside the container
            *([{"name": "model", "mountPath": MODEL_FOLDER}] if _is_fetched(service) else []),
            *([{"name": "lexicon", "mountPath": LEXICON_FOLDER, "readOnly": True}] if spec.server.lexicon else []),
            *jobs.mounts(service),
        ],
    }


def _environment(service: TTSService, keyring: Keyring | None) -> list[Json]:
    """The server's settings (docs/server.md). Unset fields are left to the server's defaults."""
    model, server, backend = service.spec.model, service.spec.server, service.spec.backend
    theirs = None
    if backend is not None:  # behind a Triton, the voice is that of the engine, and clients keep its name
        theirs = model.engine if backend.upstream is None else backend.upstream.model
    plain = {
        "TTS_ENGINE": model.engine,
        "TTS_MODEL_NAME": model.name or theirs,
        "TTS_MODEL_REVISION": model.revision,
        "TTS_MODEL_DIR": MODEL_FOLDER if _is_fetched(service) else None,
        "TTS_VOICES": ",".join(model.voices),
        "TTS_DEFAULT_VOICE": model.default_voice,
        "TTS_MAX_INPUT_CHARACTERS": str(server.max_input_characters),
        "TTS_LEXICON": f"{LEXICON_FOLDER}/{LEXICON_FILE}" if server.lexicon else None,
        "TTS_CACHE_SIZE_MIB": str(server.cache.size_mi_b),
        "TTS_LOG_LEVEL": server.log_level,
        "TTS_DRAIN_SECONDS": str(DRAIN_SECONDS),
    }
    secret = {
        "TTS_REDIS_URL": server.cache.redis.url_secret_ref if server.cache.redis else None,
        "TTS_API_KEYS": server.auth.api_keys_secret_ref if server.auth else None,
    }
    return (
        [{"name": name, "value": value} for name, value in plain.items() if value]
        + [
            {"name": name, "valueFrom": {"secretKeyRef": _secret_key(reference)}}
            for name, reference in secret.items()
            if reference is not None
        ]
        + (_redis(service, keyring) if keyring is not None and server.cache.redis is not None else [])
        + (probe_environment(keyring) if keyring is not None and server.auth is not None else [])
        + jobs.environment(service)
    )


def _redis(service: TTSService, keyring: Keyring) -> list[Json]:
    """The settings that isolate the entries of one TTSService from others in the same Redis.

    Anyone who can read pods in this namespace can read the key. It protects against tenants of other namespaces. A
    Secret for each service would require the operator to write Secrets in every namespace.
    """
    return [
        {"name": "TTS_REDIS_PREFIX", "value": f"tts:{service.namespace}:{service.uid}:"},
        {"name": "TTS_REDIS_SIGNING_KEY", "value": keyring.cache_key(service.namespace, service.uid)},
    ]


def _secret_key(reference: SecretKeyReference) -> Json:
    return {"name": reference.name, "key": reference.key}


def _is_fetched(service: TTSService) -> bool:
    """Whether the model must be fetched, because it is not part of the image."""
    return service.spec.model.engine != "fastspeech2"


def _volumes(service: TTSService) -> list[Json]:
    volumes: list[Json] = [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}]
    if _is_fetched(service):
        # The model's resources are unpacked there at each start. They need not be in memory.
        volumes = [{"name": "tmp", "emptyDir": {"sizeLimit": "2Gi"}}]
        storage = service.spec.model.storage or Storage()
        if storage.persistent_volume_claim is not None:
            volumes.append({"name": "model", "persistentVolumeClaim": {"claimName": service.name}})
        else:
            empty = storage.empty_dir or EmptyDir()
            volumes.append({"name": "model", "emptyDir": {"sizeLimit": empty.size_limit}})
    if service.spec.server.lexicon is not None:
        reference = service.spec.server.lexicon.config_map_key_ref
        file = {"name": reference.name, "items": [{"key": reference.key, "path": LEXICON_FILE}]}
        # Optional: what a service says is no reason to have it not start on a new node.
        volumes.append({"name": "lexicon", "configMap": {**file, "optional": True}})
    return volumes + jobs.volumes(service)


def _probe(path: str, *, every: int, failures: int) -> Json:
    """An HTTP probe. `every` is in seconds."""
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": every,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
