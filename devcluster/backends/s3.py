"""versitygw: an S3 server whose buckets are folders (https://github.com/versity/versitygw). It serves HTTPS only."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from devcluster.backends import credentials
from devcluster.backends.credentials import Credentials
from devcluster.binaries import path_of
from devcluster.controlplane import pki
from devcluster.controlplane.pki import Identity

BUCKET = "tts"
REGION = "us-east-1"
ACCESS_KEY_ID = "devcluster"
HEALTH = "/healthz"


@dataclass(frozen=True)
class Gateway:
    """An S3 server's address and files."""

    folder: Path
    """Its credentials, accounts and objects."""
    pki: Path
    """The folder of the CA that signs its certificate."""
    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """The URL of the server. The bucket follows in the path, not in the host name."""
        return f"https://{self.host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The certificate of the CA."""
        return self.pki / "ca.crt"

    @property
    def credentials_file(self) -> Path:
        """The access key, as JSON: its ID is the user name, the secret is the password."""
        return self.folder / "credentials.json"

    @property
    def env_file(self) -> Path:
        """The access key, as variables of the server's environment."""
        return self.folder / "environment"

    @property
    def objects(self) -> Path:
        """The folder of buckets."""
        return self.folder / "objects"

    def credentials(self) -> Credentials:
        """Return the access key ID and the secret access key of the owner of BUCKET."""
        return credentials.ensure(self.credentials_file, ACCESS_KEY_ID)

    def environment(self) -> dict[str, str]:
        """Return the variables by which the server learns the access key. Everybody can read command lines."""
        key = self.credentials()
        return {"ROOT_ACCESS_KEY_ID": key.username, "ROOT_SECRET_ACCESS_KEY": key.password}


def prepare(gateway: Gateway) -> None:
    """Create the server's certificate, access key and bucket, if they are missing."""
    pki.ensure_certificate(gateway.pki, Identity("s3", "s3", "", ("DNS:localhost", f"IP:{gateway.host}")))
    gateway.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    pki.write_private(gateway.env_file, "".join(f"{name}={value}\n" for name, value in gateway.environment().items()))
    for folder in (gateway.objects / BUCKET, gateway.folder / "metadata", gateway.folder / "accounts"):
        folder.mkdir(parents=True, exist_ok=True)


def command(gateway: Gateway) -> tuple[str, ...]:
    """Return the command line of the server. It logs errors, but no requests: presigned links are secrets."""
    return (
        str(path_of("versitygw")),
        f"--port={gateway.host}:{gateway.port}",
        f"--cert={gateway.pki / 's3.crt'}",
        f"--key={gateway.pki / 's3.key'}",
        f"--region={REGION}",
        f"--health={HEALTH}",
        f"--iam-dir={gateway.folder / 'accounts'}",
        "--iam-cache-disable",  # a removed account loses access at once
        "--keep-alive",
        "--quiet",
        "posix",
        f"--sidecar={gateway.folder / 'metadata'}",  # not every file system has extended attributes
        str(gateway.objects),
    )


def responds(gateway: Gateway) -> bool:
    """Whether the server responds to requests."""
    tls = ssl.create_default_context(cafile=str(gateway.ca_file))
    connection = http.client.HTTPSConnection(gateway.host, gateway.port, timeout=2, context=tls)
    try:
        connection.request("GET", HEALTH)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
