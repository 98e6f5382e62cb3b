"""The policy file, which the chart renders from its value `policy`."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from tts_operator.policy.bounds import Bounds
from tts_operator.policy.images import repository

NGINX = "nginx.ingress.kubernetes.io"
TRAEFIK = "traefik.ingress.kubernetes.io"
INGRESS_ANNOTATIONS = (
    f"{NGINX}/client-body-buffer-size",
    f"{NGINX}/cors-*",
    f"{NGINX}/enable-cors",
    f"{NGINX}/force-ssl-redirect",
    f"{NGINX}/limit-*",
    f"{NGINX}/proxy-body-size",
    f"{NGINX}/proxy-buffer-size",
    f"{NGINX}/proxy-buffering",
    f"{NGINX}/proxy-buffers-number",
    f"{NGINX}/proxy-connect-timeout",
    f"{NGINX}/proxy-http-version",
    f"{NGINX}/proxy-next-upstream*",
    f"{NGINX}/proxy-read-timeout",
    f"{NGINX}/proxy-request-buffering",
    f"{NGINX}/proxy-send-timeout",
    f"{NGINX}/rewrite-target",
    f"{NGINX}/ssl-redirect",
    f"{TRAEFIK}/router.entrypoints",
    f"{TRAEFIK}/router.tls",
)
"""Annotations that affect only the service itself: no snippets, no auth-*, no names for external-dns."""


class PolicyError(ValueError):
    """The file is invalid. The message says which field, and what to write instead."""


def _checked(text: str) -> str:
    rest = text.replace("{namespace}", "").replace("{serverImage}", "")
    if "{" in rest or "}" in rest:
        raise ValueError(f"{text!r}: only {{namespace}} and {{serverImage}} may appear in braces")
    return text


Patterns = tuple[Annotated[str, AfterValidator(_checked)], ...]
Mode = Literal["Restricted", "Unrestricted"]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class Rules(_Model):
    """What is allowed."""

    pod_template: Mode = "Restricted"
    """Restricted: the final pod template must meet the restricted Pod Security Standard, and must not claim an
    identity, node, or priority that is not the tenant's."""
    images: Patterns = ("{serverImage}",)
    """Repositories of all containers' images, without tag and digest."""
    hosts: Patterns = ("*",)
    """Hosts of the Ingress and the HTTPRoute. Only `*` allows one without a host, which matches all names."""
    ingress_annotations: Patterns = INGRESS_ANNOTATIONS
    """Annotation keys."""
    service_annotations: Patterns = ()
    """Annotation keys."""
    service_types: Patterns = ("ClusterIP",)
    priority_classes: Patterns = ()
    issuers: Patterns = ("Issuer/*",)
    """KIND/NAME in the group cert-manager.io, GROUP/KIND/NAME in others."""
    prometheus: Patterns = ()
    """SCHEME://HOST[:PORT][/PATH]."""
    kafka_brokers: Patterns = ("*",)
    """HOST:PORT. Pods connect to them, and never to loopback and link-local addresses."""
    s3_endpoints: Patterns = ("*",)
    """SCHEME://HOST[:PORT], likewise. That of AWS is https://s3.REGION.amazonaws.com."""
    backends: Patterns = ("*",)
    """SCHEME://HOST[:PORT][/PATH] of backends that the operator does not run. Pods connect to them, likewise."""
    webhook_hosts: Patterns = ("*",)
    """Hosts, which may be wildcards themselves. Pods never send messages to addresses inside the network."""


FIELDS = tuple(Rules.model_fields)


class Overrides(_Model):
    """The rules of one namespace. Omitted fields keep the general rule."""

    pod_template: Mode = "Restricted"
    images: Patterns = ()
    hosts: Patterns = ()
    ingress_annotations: Patterns = ()
    service_annotations: Patterns = ()
    service_types: Patterns = ()
    priority_classes: Patterns = ()
    issuers: Patterns = ()
    prometheus: Patterns = ()
    kafka_brokers: Patterns = ()
    s3_endpoints: Patterns = ()
    backends: Patterns = ()
    webhook_hosts: Patterns = ()

    @cached_property
    def given(self) -> dict[str, Any]:
        """The fields that are set."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Policy(Rules):
    """The general rules, and exceptions for namespaces."""

    namespaces: dict[str, Overrides] = {}

    def for_namespace(self, name: str, server_image: str) -> Bounds:
        """The rules for one namespace. `server_image` is the reference of the bundled model server."""
        special = self.namespaces.get(name)
        given = special.given if special is not None else {}
        values = {field: given.get(field, getattr(self, field)) for field in FIELDS}
        restricted = values.pop("pod_template") == "Restricted"
        return Bounds(
            namespace=name,
            restricted=restricted,
            **{field: _filled(patterns, name, server_image) for field, patterns in values.items()},
        )

    def describe(self) -> str:
        """Describe the policy in one line, for the log."""
        told = [f"podTemplate {self.pod_template}"]
        for field, info in Rules.model_fields.items():
            if field != "pod_template":
                patterns = getattr(self, field)
                usual = " (default)" if patterns == info.default and field == "ingress_annotations" else ""
                words = usual.strip() or ", ".join(patterns) or "nothing"
                told.append(f"{info.alias} {words}")
        special = f"; other rules in {', '.join(sorted(self.namespaces))}" if self.namespaces else ""
        return "; ".join(told) + special


def _filled(patterns: tuple[str, ...], namespace: str, server_image: str) -> tuple[str, ...]:
    if not any("{" in pattern for pattern in patterns):
        return patterns  # the common case, many times as fast
    image = repository(server_image)
    return tuple(each.replace("{namespace}", namespace).replace("{serverImage}", image) for each in patterns)


def load(path: Path) -> Policy:
    """Load a policy from a YAML file. Raises PolicyError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path} cannot be read: {error}") from error
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if content is not None and not isinstance(content, dict):
        raise PolicyError(f"{path}: write fields, such as podTemplate: Restricted; this is a {type(content).__name__}")
    try:
        return Policy.model_validate(content or {})
    except ValidationError as error:
        problems = "; ".join(_problem(dict(each)) for each in error.errors())
        raise PolicyError(f"{path}: {problems}") from error


def _problem(error: dict[str, Any]) -> str:
    """Rephrase an error of pydantic, with what to write instead."""
    at = [str(part) for part in error["loc"]]
    field = ".".join(at) or "the file"
    match error["type"]:
        case "extra_forbidden":
            names = [info.alias or name for name, info in Rules.model_fields.items()]
            more = [] if len(at) > 1 else ["namespaces"]
            return f"{field}: unknown field; write one of {', '.join([*names, *more])}"
        case "literal_error":
            return f"{field}: write Restricted or Unrestricted, not {error['input']!r}"
        case "tuple_type":
            return f'{field}: write a list of patterns, such as ["*"], or [] to allow nothing'
        case "string_type":
            return f"{field}: write a string, in quotes if it begins with * or {{"
        case "dict_type" | "model_type" | "model_attributes_type":
            example = "serviceTypes: [ClusterIP]" if len(at) > 1 else "NAMESPACE: {...}"
            return f"{field}: write fields, such as {example}"
        case _:
            return f"{field}: {error['msg'].removeprefix('Value error, ')}"
