"""What tests of jobs share: the bucket, and what they look for among processes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from obstore.store import S3Store

from devcluster.backends import local

if TYPE_CHECKING:
    from obstore.store import ClientConfig


@pytest.fixture
def store(s3: local.S3) -> S3Store:
    """The bucket of the S3 server."""
    return open_store(s3, root_certificate=s3.gateway.ca_file.read_text())


def open_store(s3: local.S3, root_certificate: str | None, timeout: str = "60s", **changes: str) -> S3Store:
    """Connect to the bucket. Nothing is tried again: tests make the server go away."""
    options: ClientConfig = {"timeout": timeout, "connect_timeout": timeout}
    if root_certificate is not None:
        options["root_certificate"] = root_certificate
    configuration: Any = s3.store_configuration() | changes
    return S3Store(config=configuration, client_options=options, retry_config={"max_retries": 0})


def commands_that_name(folder: Path) -> list[str]:
    """The command lines of all processes that name a file in the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has ended
        if str(folder) in line:
            found.append(line)
    return found
