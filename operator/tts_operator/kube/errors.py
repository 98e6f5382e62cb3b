"""Errors of the API server."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

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
    def of(cls, status: int, body: Mapping[str, Any] | str, retry_after: str | None = None) -> "ApiError":
        """Create the error from a metav1.Status, or from a proxy's text."""
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
        if isinstance(body, str):
            return cls(status=status, reason="Unknown", message=body[:1000], retry_after=seconds)
        return cls(
            status=int(body.get("code") or status),
            reason=str(body.get("reason") or "Unknown"),
            message=str(body.get("message") or ""),
            retry_after=seconds,
            causes=[cause.get("reason", "") for cause in (body.get("details") or {}).get("causes") or ()],
        )
