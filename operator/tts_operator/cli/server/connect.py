"""Chooses the way to the server of a service."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.server.api import Api, Refusal, UnavailableError
from tts_operator.cli.server.forward import Forward
from tts_operator.cli.server.keys import api_key
from tts_operator.cli.server.proxy import Proxy
from tts_operator.cli.server.tunnel import Way
from tts_operator.cli.view import Service
from tts_operator.cli.wording import Typed


def key_of(kubectl: Kubectl, service: Service, key_name: str | None) -> str:
    """Return the API key to send, empty if the service needs none. Raises RefusedError."""
    return api_key(kubectl, service.api_keys, key_name, os.environ)


@contextmanager
def server_of(kubectl: Kubectl, service: Service, key: str, hint: Callable[[Refusal], str]) -> Iterator[Api]:
    """Yield the API of a service, through the API server or, where a key must be sent, through a port-forward."""

    def connect() -> Way:
        return Forward(kubectl, service.name) if key else Proxy(kubectl, service.namespace, service.name)

    with closing(Api(connect, key, hint)) as api:
        try:
            yield api
        except UnavailableError as error:
            status = Typed(name=service.name, flags=kubectl.flags).then("status")
            raise UnreachableError(f"{error}. {status} shows how the service is") from error
