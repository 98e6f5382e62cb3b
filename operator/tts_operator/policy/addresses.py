"""Checks addresses that the operator or its pods connect to for tenants, who must not reach their surroundings."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from tts_operator.policy.patterns import matches

_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*\.?")
"""What resolvers accept as an IPv4 address, although it does not look like one: 2130706433, 0x7f.1, 127.1."""
_PLAIN = re.compile(r"[!-~]+")
FORM = "write SCHEME://HOST[:PORT][/PATH], such as http://prometheus.monitoring:9090"


def is_forbidden(address: str) -> bool:
    """Whether an IP address is forbidden: loopback, link-local (cloud metadata), unspecified, multicast, or reserved.

    This includes such addresses embedded in IPv6 (::ffff:127.0.0.1, 64:ff9b::127.0.0.1, 2002:7f00:1::). Anything that
    is not an IP address is forbidden too.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    if isinstance(found, ipaddress.IPv6Address) and (inner := _inner(found)) is not None:
        return _is_local(inner) or (found.ipv4_mapped is None and _is_local(found))
    return _is_local(found)


def _is_local(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or (address.version == 4 and (address.is_reserved or address in _THIS_NETWORK))  # noqa: PLR2004 - IPv4
    )


_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address embedded in an IPv6 address, if any."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def problem(url: str, *, itself: str = "the operator itself") -> str:
    """What is wrong with a URL, regardless of the policy; empty if nothing is. `itself` is who connects to it."""
    if not _PLAIN.fullmatch(url) or "\\" in url:
        return f"it contains invalid characters; {FORM}"
    if "?" in url or "#" in url:
        return f"? and # are not allowed in it; {FORM}"
    parts = _parts(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return f"it is not a valid URL; {FORM}"
    if "@" in parts.netloc:
        return f"a user name or password is not allowed in it; {FORM}"
    if "%" in parts.hostname:
        return f"% is not allowed in its host; {FORM}"
    return host_problem(parts.hostname, itself=itself)


def host_problem(host: str, *, itself: str = "the pod itself") -> str:
    """What is wrong with a host, which is a name or an IP address without brackets; empty if nothing is.

    `itself` is who connects to it.
    """
    if ":" in host or _is_ipv4(host):
        return "its host is a loopback, link-local, or other local address" if is_forbidden(host) else ""
    if _NUMERIC.fullmatch(host):
        return "its host is a number; write an IPv4 address as four numbers, or a name"
    name = host.rstrip(".")
    return f"its host is {itself}" if name == "localhost" or name.endswith(".localhost") else ""


def is_allowed(patterns: tuple[str, ...], url: str) -> bool:
    """Whether one of the patterns allows a URL that has no `problem`.

    A `*` in the scheme or host does not match beyond it, unless the pattern ends with the `*`.
    """
    parts = _parts(url)
    return parts is not None and any(_matches(pattern, parts) for pattern in patterns)


def _matches(pattern: str, parts: SplitResult) -> bool:
    scheme, separator, rest = pattern.partition("://")
    if not separator:
        return pattern == "*"
    host, slash, path = rest.partition("/")
    if not matches(scheme, parts.scheme) or not matches(host.lower(), parts.netloc.lower()):
        return False
    return matches(slash + path, parts.path) or (not slash and host.endswith("*"))


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for an invalid port
    except ValueError:
        return None
    return parts


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
