"""The bill of materials of an image, in CycloneDX 1.6, from its lock file and the packages of its base image. No I/O.

The lock is exact: images are installed from it with `--require-hashes`, and from nothing else.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from packaging.markers import Marker

Json = dict[str, Any]
_ENTRY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ \\;]+)(?: ; (?P<marker>[^\\]+?))? ?\\?$", re.MULTILINE
)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_LINUX = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""The environment of the images. No marker in the locks depends on the architecture; `packages` checks that."""


@dataclass(frozen=True, order=True)
class Package:
    """A package that is installed in an image."""

    name: str
    version: str
    kind: str = "pypi"
    """The type in its package URL: `pypi` or `deb`."""
    qualifiers: str = ""
    """Of the package URL, such as `arch=amd64`."""
    hashes: tuple[str, ...] = ()
    """SHA-256 of the files that it may be installed from."""

    @property
    def url(self) -> str:
        """The package URL (https://github.com/package-url/purl-spec)."""
        name = f"debian/{self.name}" if self.kind == "deb" else self.name
        version = self.version.replace("+", "%2B").replace(":", "%3A")
        return f"pkg:{self.kind}/{name}@{version}" + (f"?{self.qualifiers}" if self.qualifiers else "")


def packages(lock: str) -> Iterator[Package]:
    """Yield the packages that a lock installs on Linux, given its text.

    Raises ValueError if that depends on the architecture.
    """
    entries = list(_ENTRY.finditer(lock))
    ends = [*(entry.start() for entry in entries[1:]), len(lock)]
    for entry, end in zip(entries, ends, strict=True):
        if marker := entry["marker"]:
            wanted = {Marker(marker).evaluate({**_LINUX, "platform_machine": each}) for each in ("x86_64", "aarch64")}
            if len(wanted) == 2:  # noqa: PLR2004 - yes and no
                raise ValueError(f"{entry['name']}: its marker depends on the architecture: {marker}")
            if not wanted.pop():
                continue
        hashes = tuple(_HASH.findall(lock, entry.end(), end))
        yield Package(entry["name"], entry["version"], hashes=hashes)


def debian_packages(status: str) -> Iterator[Package]:
    """Yield the Debian packages of an image, given the text of its /var/lib/dpkg/status."""
    for paragraph in status.strip().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            yield Package(fields["Package"], fields["Version"], "deb", f"arch={fields['Architecture']}")


def document(image: str, version: str, contents: Iterable[Package], *, time: str) -> Json:
    """Return the bill of materials of an image.

    `time` is when it was built, in ISO 8601. The same contents at the same time make the same document.
    """
    components = [_component(each) for each in sorted(contents)]
    subject = {"type": "container", "name": image, "version": version, "bom-ref": f"{image}:{version}"}
    identity = uuid.uuid5(uuid.NAMESPACE_URL, repr((subject, components, time)))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{identity}",
        "version": 1,
        "metadata": {"timestamp": time, "component": {**subject, "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": components,
    }


def _component(package: Package) -> Json:
    found: Json = {
        "type": "library",
        "name": package.name,
        "version": package.version,
        "purl": package.url,
        "bom-ref": package.url,
    }
    if len(package.hashes) == 1:
        found["hashes"] = [{"alg": "SHA-256", "content": package.hashes[0]}]
    elif package.hashes:
        # One per architecture and version of Python: any of them may be the file that is installed.
        found["externalReferences"] = [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{package.name}/{package.version}/",
                "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes],
            }
        ]
    return found
