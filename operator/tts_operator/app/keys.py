"""Load the operator's keys from the Secret that its replicas share, or create temporary ones."""

import asyncio
import logging
import time
from http import HTTPStatus

import aiohttp

from tts_operator.keyring import Keyring, new_secret
from tts_operator.kube.errors import ApiError
from tts_operator.kube.secret import ApiSecret

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between attempts to read the Secret."""
FORBIDDEN_SECONDS = 30.0
"""During an upgrade, the API server may not have seen the new Role yet, so a 403 is retried for this long."""
TEMPORARY = (
    "using temporary keys. After a restart, existing revisions with server.auth cannot pass the speech check, and "
    "Redis caches that pods share start empty"
)

_log = logging.getLogger(__name__)


async def load_keyring(secret: ApiSecret | None) -> Keyring:
    """Return the keys. Waits for the API server if it does not respond.

    An unusable Secret does not stop the operator, because few features need the keys, and those report the problem.
    """
    if secret is None:
        _log.info("no --key-secret: %s", TEMPORARY)
        return Keyring(new_secret())
    begun, pause = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            return Keyring(await secret.read_or_create(new_secret))
        except (ApiError, ValueError) as error:
            if not _may_pass(error, time.monotonic() - begun):
                _log.error("cannot use %s (%s): %s", secret, error, TEMPORARY)
                return Keyring(new_secret())
            problem = str(error)
        except (aiohttp.ClientError, TimeoutError) as error:
            problem = str(error) or type(error).__name__
        _log.warning("cannot read %s; retrying: %s", secret, problem)
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _may_pass(error: ApiError | ValueError, seconds: float) -> bool:
    if not isinstance(error, ApiError):
        return False
    return error.transient or (error.status == HTTPStatus.FORBIDDEN and seconds < FORBIDDEN_SECONDS)
