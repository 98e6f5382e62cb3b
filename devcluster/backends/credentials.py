"""Credentials: made once per server, kept in a file that only its owner can read."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from devcluster.controlplane import pki


@dataclass(frozen=True)
class Credentials:
    """A user name and a password or, for S3, an access key ID and a secret access key."""

    username: str
    password: str = field(repr=False)


def ensure(path: Path, username: str) -> Credentials:
    """Return the credentials in a file. The first call writes them, with a random password."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pki.write_private(path, json.dumps({"username": username, "password": secrets.token_hex(20)}))
    return Credentials(**json.loads(path.read_text()))
