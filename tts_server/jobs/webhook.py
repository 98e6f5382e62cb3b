"""The message to a user's own server when a job has ended, signed as https://www.standardwebhooks.com describes."""

import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import json
import logging
import math
import socket
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import gevent

from tts_server.jobs.model import MAX_URL_CHARACTERS, JobName
from tts_server.settings import SettingsError

log = logging.getLogger(__name__)

_SECONDS = 10.0
_GIVE_UP_SECONDS = 24 * 3600.0
_FIRST_PAUSE_SECONDS = 5.0
# The age of the message from one try to the next.
_GROWTH = 1.5
_PREFIX = "whsec_"
# A tenant could find a shorter secret by trying which one leads to its own key.
_SECRET_BYTES = 16
_PURPOSE = b"tts-server webhook\0"
_OK = range(200, 300)
# Addresses of IPv6 that a gateway translates to the one of IPv4 in their last 32 bits: RFC 6052.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class WebhookError(Exception):
    """The message was not received. It is to be sent again after ``retry_after`` seconds."""

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class WebhookAddressError(ValueError):
    """No message may be sent to this address. The message says why."""


class Webhooks:
    """Sends messages to allowed hosts only."""

    def __init__(self, hosts: Sequence[str], secret: str, *, private: bool) -> None:
        """``hosts`` are names, or ``*.`` and a domain. With ``private``, they may be inside the cluster, and http://.

        From ``secret``, text or ``whsec_`` and base64, each tenant has a key that signs its messages. If it is empty,
        they are not signed. Raises SettingsError as :func:`key_of` does.
        """
        self._hosts = tuple(each.lower() for each in hosts)
        self._private = private
        self._secret = _bytes(secret) if secret else b""

    def check(self, url: str) -> None:
        """Raise :class:`WebhookAddressError` unless messages may be sent to this URL."""
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").lower(), parts.port
            host.encode("idna")  # as for the name server, which gets no label that is empty or too long
        except ValueError:
            raise WebhookAddressError("It is not a URL.") from None
        schemes = ("https", "http") if self._private else ("https",)
        if len(url) > MAX_URL_CHARACTERS or parts.scheme not in schemes or not host or parts.username is not None:
            raise WebhookAddressError(
                f"It must be a URL that begins with {' or '.join(f'{each}://' for each in schemes)}, without a user "
                f"name, of at most {MAX_URL_CHARACTERS} characters."
            )
        if not url.isascii() or not url.isprintable() or " " in url:
            raise WebhookAddressError("Write other characters than printable ASCII as %XX.")
        if not any(host == each or (each.startswith("*.") and host.endswith(each[1:])) for each in self._hosts):
            raise WebhookAddressError(
                f"The host {host!r} is not allowed. TTS_JOBS_WEBHOOK_HOSTS allows: {', '.join(self._hosts) or 'none'}."
            )

    def send(self, job: JobName, url: str, event: dict[str, object], since: float) -> None:
        """Send an event of a job, whose id is that of the message.

        Raises :class:`WebhookError` until a day after ``since``, in Unix time, and then gives up.
        """
        age = max(0.0, time.time() - since)
        try:
            self.check(url)
            with gevent.Timeout(2 * _SECONDS, TimeoutError("It took too long.")):
                status = self._post(job, url, json.dumps(event).encode())
            reason = "" if status in _OK else f"The status is {status}."
        except WebhookAddressError as error:
            log.warning("webhook refused", extra={"reason": str(error)})
            return
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        if reason and age < _GIVE_UP_SECONDS:
            raise WebhookError(reason, max(_FIRST_PAUSE_SECONDS, age * (_GROWTH - 1)))
        if reason:
            log.warning("webhook given up", extra={"id": job.id, "reason": reason})

    def _post(self, job: JobName, url: str, body: bytes) -> int:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        # The address that was checked is the one that is used: asked twice, a name server could give two answers.
        connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
        connection.sock = socket.create_connection((self._address(host, port), port), timeout=_SECONDS)
        try:
            if secure:
                connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=host)
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, self._headers(job, body))
            return connection.getresponse().status  # without the body, and redirects are not followed
        finally:
            connection.close()

    def _address(self, host: str, port: int) -> str:
        """Return an address of the host. Raises :class:`WebhookAddressError` if it is private and may not be."""
        found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not self._private and not all(map(_is_public, found)):
            raise WebhookAddressError(f"{host!r} is a host inside the network.")
        return found[0]

    def _headers(self, job: JobName, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": "tts-server", "webhook-id": job.id}
        now = str(int(time.time()))
        headers["webhook-timestamp"] = now
        if self._secret:
            signed = f"{job.id}.{now}.".encode() + body
            digest = hmac.digest(_derived(self._secret, job.tenant), signed, hashlib.sha256)
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers


def is_due(age: float, seconds: float) -> bool:
    """Return whether the pauses between tries let one begin in the ``seconds`` before a message has this ``age``."""
    return age >= _GIVE_UP_SECONDS or _tries(age) > _tries(age - seconds)


def _tries(age: float) -> int:
    return int(math.log(max(age, _FIRST_PAUSE_SECONDS) / _FIRST_PAUSE_SECONDS, _GROWTH))


def key_of(secret: str, tenant: str) -> str:
    """Return the key that signs the messages to a tenant, as ``whsec_`` and base64.

    The secret and the keys of others do not follow from it. Raises SettingsError if the secret is short, or no base64.
    """
    return _PREFIX + base64.b64encode(_derived(_bytes(secret), tenant)).decode()


def _derived(secret: bytes, tenant: str) -> bytes:
    return hmac.digest(secret, _PURPOSE + tenant.encode(), hashlib.sha256)


def _bytes(secret: str) -> bytes:
    try:
        is_text = not secret.startswith(_PREFIX)
        found = secret.encode() if is_text else base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise SettingsError(f"TTS_JOBS_WEBHOOK_SECRET begins with {_PREFIX}, but no base64 follows.") from None
    if len(found) < _SECRET_BYTES:
        raise SettingsError(
            f"TTS_JOBS_WEBHOOK_SECRET has {len(found)} bytes, and needs at least {_SECRET_BYTES}. This makes one: "
            f'echo "{_PREFIX}$(openssl rand -base64 32)"'
        )
    return found


def _is_public(text: str) -> bool:
    """Return whether an address is on the Internet, also one of IPv6 that stands for one of IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    inner: ipaddress.IPv4Address | None = None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.is_global and not address.is_multicast and (inner is None or inner.is_global)
