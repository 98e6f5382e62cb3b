"""What the API server answers when it does not do as asked."""

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
"""Answers that may be different the next time: an expired token, a conflict, too many requests, a server in trouble."""


class NotLeadingError(aiohttp.ClientError):
    """Nothing may be written: another operator may do so now."""


class ApiError(Exception):
    """An answer of the API server other than 2xx."""

    def __init__(
        self, *, status: int, reason: str, message: str, retry_after: float | None = None, causes: Iterable[str] = ()
    ) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """Seconds that the server asks to wait."""
        self.causes = frozenset(causes)

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later, without anybody changing anything."""
        return self.status in TRANSIENT

    @property
    def namespace_ends(self) -> bool:
        """The namespace is being deleted: nothing can be made in it any more, and need not be."""
        return "NamespaceTerminating" in self.causes

    @property
    def gone(self) -> bool:
        """The resource version of a watch or list is too old (410 Gone, or Expired inside a watch)."""
        return self.status == HTTPStatus.GONE or self.reason == "Expired"

    @classmethod
    def of(cls, status: int, body: Mapping[str, Any] | str, retry_after: str | None = None) -> "ApiError":
        """From a metav1.Status, or from whatever text a proxy put in its place."""
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
