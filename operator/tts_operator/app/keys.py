"""Where the operator's keys come from: the Secret that its replicas share, or else a secret of this process alone."""

import asyncio
import logging
import time
from http import HTTPStatus

import aiohttp

from tts_operator.keyring import Keyring, new_secret
from tts_operator.kube.errors import ApiError
from tts_operator.kube.secret import ApiSecret

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds between two tries to read the Secret."""
FORBIDDEN_SECONDS = 30.0
"""At an upgrade the operator may ask before the API server has seen its new Role: a 403 counts after so long."""
ALONE = (
    "using temporary keys. After a restart, existing revisions with server.auth cannot pass the speech check, and "
    "Redis caches that pods share start empty"
)

_log = logging.getLogger(__name__)


async def load_keyring(secret: ApiSecret | None) -> Keyring:
    """The keys; waits for an API server that does not answer.

    A Secret that cannot be had is no reason to leave services alone: what needs the keys is little, and says so.
    """
    if secret is None:
        _log.info("no --key-secret: %s", ALONE)
        return Keyring(new_secret())
    begun, pause = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            return Keyring(await secret.read_or_create(new_secret))
        except (ApiError, ValueError) as error:
            if not _may_pass(error, time.monotonic() - begun):
                _log.error("cannot use %s (%s): %s", secret, error, ALONE)
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
