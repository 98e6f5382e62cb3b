"""Errors of the API server."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import aiohttp

TRANSIENT = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
"""Statuses that a retry may cure: an expired token, a conflict, too many requests, a server in trouble."""

_SECONDS = re.compile("[0-9]{1,5}")


class NotLeadingError(aiohttp.ClientError):
    """This process may not write, because another one may be the leader."""


class ApiError(Exception):
    """A response of the API server other than 2xx."""

    def __init__(
        self, *, status: int, reason: str, message: str, retry_after: float | None = None, causes: Iterable[str] = ()
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """Seconds to wait, if the server says so."""
        self.causes = frozenset(causes)

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later without any change."""
        return self.status in TRANSIENT

    @property
    def namespace_ends(self) -> bool:
        """Whether the namespace is being deleted, so that nothing can be created in it."""
        return "NamespaceTerminating" in self.causes

    @property
    def gone(self) -> bool:
        """Whether the resource version of a watch or list is too old (410 Gone, or Expired inside a watch)."""
        return self.status == HTTPStatus.GONE or self.reason == "Expired"

    @classmethod
    def of(cls, status: int, body: object, retry_after: str | None = None) -> "ApiError":
        """Create the error from a metav1.Status, or from a proxy's text or JSON. Never raises."""
        seconds = float(retry_after) if retry_after and _SECONDS.fullmatch(retry_after) else None
        if not isinstance(body, Mapping):
            return cls(status=status, reason="Unknown", message=str(body)[:1000], retry_after=seconds)
        code = body.get("code")
        return cls(
            status=code if isinstance(code, int) and code else status,
            reason=str(body.get("reason") or "Unknown"),
            message=str(body.get("message") or ""),
            retry_after=seconds,
            causes=_causes(body.get("details")),
        )


def _causes(details: object) -> list[str]:
    """The reasons of the causes in a metav1.StatusDetails."""
    causes = details.get("causes") if isinstance(details, Mapping) else None
    if not isinstance(causes, list):
        return []
    return [str(cause.get("reason", "")) for cause in causes if isinstance(cause, Mapping)]
