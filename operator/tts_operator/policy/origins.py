"""Where the images and priority classes of pods come from, for messages about them."""

from tts_operator.api import Spec
from tts_operator.api.backend import Backend


def origins_in(spec: Spec, server_image: str) -> dict[str, str]:
    """Map images and priority classes that do not come from podTemplate to the field of the spec that sets them.

    `server_image` is the complete reference of the server's image.
    """
    found: dict[str, str] = {}
    if spec.image.repository is not None:
        found[server_image] = "spec.image.repository"
    if spec.placement.priority_class_name is not None:
        found[spec.placement.priority_class_name] = "spec.placement.priorityClassName"
    return found | (_of_backend(spec.backend) if spec.backend is not None else {})


def _of_backend(backend: Backend) -> dict[str, str]:
    found = {each.image.reference: "spec.backend.volumes" for each in backend.volumes if each.image is not None}
    for name, kind in (("upstream", backend.upstream), ("triton", backend.triton)):
        if kind is not None and kind.container is not None:
            found[kind.container.image] = f"spec.backend.{name}.container.image"
    if backend.placement is not None and backend.placement.priority_class_name is not None:
        found[backend.placement.priority_class_name] = "spec.backend.placement.priorityClassName"
    return found
