"""HTTP sessions to the API server: its address, credentials, and user agent."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tts_operator import __version__

USER_AGENT = f"tts-operator/{__version__}"
POOL = 1024
"""Maximum number of open connections, deliberately more than are ever needed: hanging requests hold theirs, and must
not block watches and healthy requests. `kube/turns.py` and the queue limit the number of concurrent requests."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """The address of the API server, and credentials for it."""

    server: str
    tls: ssl.SSLContext
    headers: Mapping[str, str] = field(default_factory=dict)
    token_file: Path | None = None
    """A file with a bearer token that is renewed periodically, as in a pod."""


class Connection:
    """Creates sessions, and keeps the one that the informers and the reconciler share."""

    def __init__(self, access: Access, *, identity: str = "") -> None:
        """`identity` distinguishes processes in the API server's audit log."""
        self.access = access
        self._agent = f"{USER_AGENT} ({identity})" if identity else USER_AGENT
        self._session: aiohttp.ClientSession | None = None
        self._token: tuple[float, str] = (0.0, "")

    def session(self) -> aiohttp.ClientSession:
        """The shared session."""
        if self._session is None:
            self._session = self.new_session()
        return self._session

    def new_session(self) -> aiohttp.ClientSession:
        """Create a separate session. kopf needs one, because it runs in another event loop, and closes its session."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=POOL, ssl=self.access.tls),
            headers={**self.access.headers, "Accept-Encoding": "identity", "User-Agent": self._agent},
            middlewares=(self._authorize,) if self.access.token_file else (),
        )

    async def close(self) -> None:
        """Close the shared session."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # lets the closed transports finish

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Add the token. The kubelet renews its file about every 48 minutes, so it is read again when it changes."""
        assert self.access.token_file is not None  # noqa: S101 - for the type checker
        changed = self.access.token_file.stat().st_mtime
        if changed != self._token[0]:
            self._token = changed, self.access.token_file.read_text().strip()
        request.headers["Authorization"] = f"Bearer {self._token[1]}"
        return await handler(request)
