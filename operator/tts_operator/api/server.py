"""`spec.image`, `spec.resources`, and `spec.server`: what runs in each pod."""

from typing import Literal

from pydantic import Field

from tts_operator.api.references import ConfigMapKeyReference, LocalObjectReference, SecretKeyReference
from tts_operator.api.schema import INT32, ApiModel, Quantity, map_by, rule, rules


class Image(ApiModel):
    """The container image of the model server. Default: the one released with the operator."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.tag) && has(self.digest))",
                "set either image.tag or image.digest, not both: a digest already identifies the image",
            ),
            rule(
                "!(has(self.tag) || has(self.digest)) || has(self.repository)",
                "image.tag and image.digest need image.repository",
            ),
        )
    }

    repository: str | None = Field(
        None, max_length=255, pattern=r"^[a-z0-9]([a-zA-Z0-9._-]*[a-zA-Z0-9])?(:[0-9]+)?(/[a-z0-9._/-]+)?$"
    )
    """Image name without a tag, such as registry.example.com/speech/tts-server."""
    tag: str | None = Field(None, max_length=128, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")
    """Tag of the image. Default: the operator's version, if digest is not set."""
    digest: str | None = Field(None, max_length=71, pattern=r"^sha256:[a-f0-9]{64}$")
    """Digest of the image, sha256:... It pins the image even if a tag moves."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When the kubelet pulls the image. IfNotPresent does not notice a moved tag."""
    pull_secrets: list[LocalObjectReference] = Field(
        [],
        max_length=8,
        json_schema_extra=map_by("name"),
    )
    """Secrets of type kubernetes.io/dockerconfigjson for pulling the image."""


class Requests(ApiModel):
    """Guaranteed resources of each pod."""

    cpu: Quantity = "1"
    """CPU that the scheduler reserves for each pod."""
    memory: Quantity = "2Gi"
    """Memory that the scheduler reserves for each pod."""


class Limits(ApiModel):
    """Maximum resources of each pod."""

    cpu: Quantity = "2"
    """Maximum CPU of each pod. The server runs as many synthesis threads, rounded up."""
    memory: Quantity = "4Gi"
    """Memory above which a pod is killed."""


def _not_below(resource: str) -> dict[str, str]:
    limit, request = (f"quantity(string(self.{part}.{resource}))" for part in ("limits", "requests"))
    return rule(
        f"{limit}.compareTo({request}) >= 0",
        f"resources.limits.{resource} must be at least resources.requests.{resource}: "
        "raise the limit or lower the request",
    )


class Resources(ApiModel):
    """Compute resources of each pod."""

    model_config = {"json_schema_extra": rules(_not_below("cpu"), _not_below("memory"))}

    requests: Requests = Field(default_factory=Requests)
    limits: Limits = Field(default_factory=Limits)


class Redis(ApiModel):
    """A Redis that all pods share as a second cache. While it is unavailable, speech is synthesized again."""

    url_secret_ref: SecretKeyReference
    """Key of a Secret that contains the URL: redis://:password@host:6379/0, or rediss:// with TLS. After a change of
    the Secret, run kubectl rollout restart deployment/NAME."""


class Cache(ApiModel):
    """The cache of synthesized speech, so that repeated texts are not synthesized again."""

    size_mi_b: int = Field(64, ge=0, le=4096, json_schema_extra=INT32)
    """Memory for cached audio in each pod, in MiB; 0 disables the cache. 64 MiB hold about 23 minutes of speech. It
    counts toward resources.limits.memory."""
    redis: Redis | None = None
    """A Redis that all pods share, behind the cache in memory. While it is unavailable, speech is synthesized again,
    without errors."""


class Auth(ApiModel):
    """API keys that clients must send. Default: anyone who can reach the service may use it."""

    api_keys_secret_ref: SecretKeyReference
    """Key of a Secret that contains the API keys, separated by commas or white space, or a JSON array that gives them
    names and quotas. Clients send one as `Authorization: Bearer KEY`. After a change of the Secret, run kubectl rollout
    restart deployment/NAME."""


class Lexicon(ApiModel):
    """Words and how to say them, for every request of the service."""

    config_map_key_ref: ConfigMapKeyReference
    """Key of a ConfigMap that contains a YAML file with lines such as `行长: hang2 zhang3`. Pods read a change within
    about a minute, without a restart. If the ConfigMap is missing, there is no lexicon. If the file is wrong, the last
    one stays in use."""


class Server(ApiModel):
    """Settings of the model server."""

    max_input_characters: int = Field(500, ge=1, le=10000, json_schema_extra=INT32)
    """Maximum length of a request's text, in characters. Longer texts get a 400 response that names this limit."""
    cache: Cache = Field(default_factory=Cache)
    auth: Auth | None = None
    """API keys that clients must send. Default: anyone who can reach the service may use it."""
    lexicon: Lexicon | None = None
    """Words and how to say them. Default: the server reads every word by its own dictionaries."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Level of the server's JSON logs. They never contain the texts of requests."""
