"""What the pods of a service need to ask their backend."""

from tts_operator.api import TTSService
from tts_operator.api.backend import Backend
from tts_operator.desired.backend import BackendPods, hash_of, host_of
from tts_operator.desired.identity import BACKEND_LABEL
from tts_operator.desired.pod.backend import BackendClient, environment, pod_parts, server_mounts, server_volumes

LOOPBACK = "127.0.0.1"


def backend_client(
    service: TTSService, backend: Backend, server_image: str, separate: BackendPods | None
) -> BackendClient:
    """What the servers need to ask this backend: `separate` pods, a sidecar, or a server at a URL.

    `server_image` writes Triton's models.
    """
    volumes, mounts, engine = server_volumes(backend), server_mounts(backend), service.spec.model.engine
    if separate is not None:
        env = environment(backend, host_of(service, separate), separate.hash, engine)
        return BackendClient(env=env, mounts=mounts, volumes=volumes, labels={BACKEND_LABEL: separate.hash})
    parts = pod_parts(backend, server_image, sidecar=True)
    return BackendClient(
        env=environment(backend, LOOPBACK, hash_of(parts) if parts else "", engine),
        mounts=mounts,
        volumes=[*volumes, *parts.get("volumes", ())],
        init_containers=parts.get("initContainers", []),
        resource_claims=parts.get("resourceClaims", []),
    )
