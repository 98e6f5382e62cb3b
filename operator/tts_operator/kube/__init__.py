"""Access to the Kubernetes API: resources, requests, errors."""

from tts_operator.kube.client import FIELD_MANAGER, Client
from tts_operator.kube.errors import ApiError
from tts_operator.kube.resources import Resource

__all__ = ["FIELD_MANAGER", "ApiError", "Client", "Resource"]
