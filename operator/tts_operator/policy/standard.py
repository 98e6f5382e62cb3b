"""The restricted Pod Security Standard, including baseline, for a final pod template.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and the checks of
k8s.io/pod-security-admission. Values of wrong types are left to the API server, which rejects them.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tts_operator.json_object import Json
from tts_operator.policy.bounds import shown, word

CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
HOST = ("hostNetwork", "hostPID", "hostIPC")
VOLUMES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
)  # fmt: skip
CAPABILITY = "NET_BIND_SERVICE"
PROFILES = ("RuntimeDefault", "Localhost")
SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
)
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
"""Prefix of the annotation that preceded the field. A container's name follows."""
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")
_NAME = re.compile(r"[a-z0-9-]{1,63}")


class Problem(NamedTuple):
    """A violation of the standard."""

    path: str
    """Path in the pod template."""
    found: str
    """What was found, for people."""
    instead: str
    """What to write instead."""


def fields(node: Any) -> Json:
    """The fields of an object; empty for anything else."""
    return node if isinstance(node, dict) else {}


def items(node: Any) -> list[Json]:
    """The objects in a list; empty for anything else."""
    return [each for each in node if isinstance(each, dict)] if isinstance(node, list) else []


def containers(pod: Json) -> Iterator[tuple[str, Json]]:
    """Yield each container of a pod spec, of any kind, with its path."""
    for kind in CONTAINERS:
        for number, container in enumerate(items(pod.get(kind))):
            yield f"spec.{kind}[{named(container, number)}]", container


def named(item: Json, number: int) -> str:
    """The name or number of a list item in a path."""
    name = item.get("name")
    return name if isinstance(name, str) and _NAME.fullmatch(name) else str(number)


def problems(template: Json) -> Iterator[Problem]:
    """Find violations of the standard in a pod template."""
    pod = fields(template.get("spec"))
    for name in HOST:
        if pod.get(name) not in (None, False):
            yield _leave_out(f"spec.{name}", pod[name])
    for key, value in fields(fields(template.get("metadata")).get("annotations")).items():
        if key.startswith(APPARMOR) and not _is_profile(value):
            yield Problem(f"metadata.annotations[{word(key)}]", shown(value), "write runtime/default or localhost/NAME")
    context = fields(pod.get("securityContext"))
    yield from _context(context, "spec.securityContext")
    for sysctl in items(context.get("sysctls")):
        if sysctl.get("name") not in SYSCTLS:
            yield Problem("spec.securityContext.sysctls", shown(sysctl.get("name")), "leave it out")
    yield from _volumes(pod)
    for path, container in containers(pod):
        yield from _container(container, context, path)


def _container(container: Json, pod: Json, path: str) -> Iterator[Problem]:
    """Check a container. `pod` is the pod's securityContext."""
    context = fields(container.get("securityContext"))
    at = f"{path}.securityContext"
    yield from _context(context, at)
    yield from _privileges(context, at)
    # If neither sets these, the node's defaults apply: possibly root, and no seccomp filter.
    if context.get("runAsNonRoot") is None and pod.get("runAsNonRoot") is None:
        yield Problem(f"{at}.runAsNonRoot", "an unset value", "write true there or in the pod's securityContext")
    if not any(fields(each.get("seccompProfile")).get("type") for each in (context, pod)):
        yield Problem(f"{at}.seccompProfile", "an unset value", "write type: RuntimeDefault")
    for port in items(container.get("ports")):
        if port.get("hostPort") not in (None, 0):
            yield _leave_out(f"{path}.ports.hostPort", port["hostPort"])
    yield from _handlers(container, path)


def _privileges(context: Json, at: str) -> Iterator[Problem]:
    """Check what only containers can set."""
    if context.get("privileged") not in (None, False):
        yield _leave_out(f"{at}.privileged", context["privileged"])
    if context.get("allowPrivilegeEscalation") is not False:
        yield Problem(
            f"{at}.allowPrivilegeEscalation", _shown_or_unset(context, "allowPrivilegeEscalation"), "write false"
        )
    if context.get("procMount") not in (None, "Default"):
        yield _leave_out(f"{at}.procMount", context["procMount"])
    capabilities = fields(context.get("capabilities"))
    if "ALL" not in _texts(capabilities.get("drop")):
        found = " ".join(_texts(capabilities.get("drop"))[:4])
        yield Problem(f"{at}.capabilities.drop", shown(found) if found else "nothing", "write [ALL]")
    for added in _texts(capabilities.get("add")):
        if added != CAPABILITY:
            yield Problem(f"{at}.capabilities.add", shown(added), f"only {CAPABILITY} may be added")


def _context(context: Json, at: str) -> Iterator[Problem]:
    """Check what both pods and containers can set."""
    if context.get("runAsNonRoot") not in (None, True):
        yield Problem(f"{at}.runAsNonRoot", shown(context["runAsNonRoot"]), "write true, or leave it out")
    user = context.get("runAsUser")
    if user is not None and (not isinstance(user, int) or user == 0):
        yield Problem(f"{at}.runAsUser", shown(user), "write the ID of a user other than root")
    for name in ("seccompProfile", "appArmorProfile"):
        kind = fields(context.get(name)).get("type")
        if kind is not None and kind not in PROFILES:
            yield Problem(f"{at}.{name}.type", shown(kind), f"allowed: {', '.join(PROFILES)}")
    options = fields(context.get("seLinuxOptions"))
    if options.get("type") not in (None, "", *SELINUX_TYPES):
        yield Problem(f"{at}.seLinuxOptions.type", shown(options["type"]), f"allowed: {', '.join(SELINUX_TYPES)}")
    for name in ("user", "role"):
        if options.get(name) not in (None, ""):
            yield _leave_out(f"{at}.seLinuxOptions.{name}", options[name])
    process = fields(context.get("windowsOptions")).get("hostProcess")
    if process not in (None, False):
        yield _leave_out(f"{at}.windowsOptions.hostProcess", process)


def _volumes(pod: Json) -> Iterator[Problem]:
    for number, volume in enumerate(items(pod.get("volumes"))):
        for kind, value in volume.items():
            if kind != "name" and kind not in VOLUMES and value is not None:
                path = f"spec.volumes[{named(volume, number)}].{word(kind)}"
                yield Problem(path, "a volume of this type", f"allowed: {', '.join(VOLUMES)}")


def _handlers(container: Json, path: str) -> Iterator[Problem]:
    """Check probes and hooks for other hosts: the kubelet sends these requests from the node's network."""
    lifecycle = fields(container.get("lifecycle"))
    handlers = {name: container.get(name) for name in PROBES}
    handlers |= {f"lifecycle.{name}": lifecycle.get(name) for name in HOOKS}
    for name, handler in handlers.items():
        for kind in ("httpGet", "tcpSocket"):
            host = fields(fields(handler).get(kind)).get("host")
            if host not in (None, ""):
                yield _leave_out(f"{path}.{name}.{kind}.host", host)


def _is_profile(value: Any) -> bool:
    return isinstance(value, str) and (value in ("", "runtime/default") or value.startswith("localhost/"))


def _texts(node: Any) -> list[str]:
    """The strings in a list. Other values are formatted as strings, so that they show up."""
    return [each if isinstance(each, str) else shown(each) for each in node] if isinstance(node, list) else []


def _shown_or_unset(context: Json, name: str) -> str:
    return "an unset value" if context.get(name) is None else shown(context[name])


def _leave_out(path: str, found: Any) -> Problem:
    return Problem(path, shown(found), "leave it out")
