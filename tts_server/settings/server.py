"""The settings of the server."""

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from tts_server.apikeys import ApiKey, parse_api_keys
from tts_server.settings.fields import GROUP, OPERATOR, SettingsError, read, setting
from tts_server.settings.triton import TritonSettings
from tts_server.settings.upstream import UpstreamSettings

LOG_LEVELS = ("debug", "info", "warning", "error")
PUBLIC_KEY_BYTES = 32
SIGNING_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the server. Each field is one ``TTS_*`` variable."""

    engine: str = setting("TTS_ENGINE", "fastspeech2", "The speech engine.", service="model.engine")
    model_name: str = setting(
        "TTS_MODEL_NAME",
        "",
        "The model's name in the API and on the hub. If empty, the API uses the engine's name.",
        service="model.name",
    )
    model_revision: str = setting(
        "TTS_MODEL_REVISION",
        "",
        "The revision that `tts-server fetch` downloads. Only for modelscope.",
        service="model.revision",
    )
    model_dir: str = setting(
        "TTS_MODEL_DIR", "", "The folder of the downloaded model. Only for modelscope.", service=OPERATOR
    )
    voices: tuple[str, ...] = setting(
        "TTS_VOICES",
        (),
        "The voices to load, separated by commas or spaces. If empty, all. Only for modelscope.",
        service="model.voices",
    )
    default_voice: str = setting(
        "TTS_DEFAULT_VOICE",
        "",
        "The voice for requests that name none. If empty, the first one.",
        service="model.defaultVoice",
    )
    host: str = setting("TTS_HOST", "0.0.0.0", "The address to listen on.")  # noqa: S104 - a pod serves all its network
    port: int = setting("TTS_PORT", 7860, "The port to listen on.", low=1, high=65535)
    max_input_characters: int = setting(
        "TTS_MAX_INPUT_CHARACTERS",
        500,
        "The longest text accepted. Longer ones get 400.",
        low=1,
        high=100_000,
        service="server.maxInputCharacters",
    )
    lexicon: str = setting(
        "TTS_LEXICON",
        "",
        "A YAML file with words and how to say them, read again whenever it changes. If empty, none.",
        service="server.lexicon",
    )
    threads: int = setting(
        "TTS_THREADS",
        0,
        "The number of synthesis threads. If 0, the CPU limit, or 8 for upstream, or 16 for triton.",
        low=0,
        high=256,
        service="resources.limits.cpu",
    )
    queue_seconds: float = setting(
        "TTS_QUEUE_SECONDS",
        2.0,
        "The longest wait in the queue. A request that would wait longer, or has waited a quarter longer, gets 503, "
        "unless the queue holds fewer than four short phrases per thread.",
        low=0,
        high=3600,
    )
    request_timeout_seconds: float = setting(
        "TTS_REQUEST_TIMEOUT_SECONDS",
        30.0,
        "The deadline of a request. One that is not done by then gets 503.",
        low=0.1,
        high=3600,
    )
    send_timeout_seconds: float = setting(
        "TTS_SEND_TIMEOUT_SECONDS",
        30.0,
        "How long a client may take to accept the next 64 KiB of its response. Then the connection is reset.",
        low=0.1,
        high=3600,
    )
    cache_size_mib: int = setting(
        "TTS_CACHE_SIZE_MIB",
        64,
        "Memory for cached audio. 0 disables the cache.",
        low=0,
        high=1 << 20,
        service="server.cache.sizeMiB",
    )
    redis_url: str = setting(
        "TTS_REDIS_URL",
        "",
        "The redis:// or rediss:// URL of a cache that servers share. If empty, none.",
        secret=True,
        service="server.cache.redis",
    )
    redis_keep_seconds: int = setting(
        "TTS_REDIS_KEEP_SECONDS", 604_800, "How long Redis keeps audio.", low=1, high=31_536_000
    )
    redis_prefix: str = setting(
        "TTS_REDIS_PREFIX",
        "tts:",
        "The prefix of all keys in Redis.",
        service="server.cache.redis",
    )
    redis_signing_key: str = setting(
        "TTS_REDIS_SIGNING_KEY",
        "",
        "The key that signs entries in Redis: at least 32 bytes in base64url. If empty, entries are not signed.",
        secret=True,
        service="server.cache.redis",
    )
    api_keys: tuple[ApiKey, ...] = setting(
        "TTS_API_KEYS",
        (),
        "API keys, separated by commas or spaces, or a JSON array that gives them names and limits. If empty, no key "
        "is required.",
        secret=True,
        service="server.auth",
        parse=parse_api_keys,
    )
    probe_public_key: str = setting(
        "TTS_PROBE_PUBLIC_KEY",
        "",
        "The operator's Ed25519 public key: 32 bytes in base64url. Its tokens for this pod are accepted like API keys.",
        service="server.auth",
    )
    pod_uid: str = setting(
        "TTS_POD_UID", "", "The uid of this pod, to which those tokens are bound.", service="server.auth"
    )
    probe_key: str = setting("TTS_PROBE_KEY", "", "One more API key, set by older operators.", secret=True)
    cors_origins: tuple[str, ...] = setting(
        "TTS_CORS_ORIGINS", (), "Web origins whose pages may call the API, or *. If empty, none."
    )
    jobs_storage: str = setting(
        "TTS_JOBS_STORAGE",
        "",
        "Where jobs for long texts are kept: a folder, or s3://, gs:// or az:// with bucket and prefix. If empty, the "
        "server takes no jobs.",
        service="jobs.storage",
    )
    jobs_ca_file: str = setting(
        "TTS_JOBS_CA_FILE",
        "",
        "A PEM file with the certificates that the bucket's own must be signed by. If empty, those of the system.",
        service="jobs.storage.s3.caSecretRef",
    )
    jobs_keep_seconds: int = setting(
        "TTS_JOBS_KEEP_SECONDS",
        604_800,
        "How long a job and its audio are kept after its end.",
        low=60,
        high=31_536_000,
        service="jobs.retentionSeconds",
    )
    jobs_max_open: int = setting(
        "TTS_JOBS_MAX_OPEN",
        100,
        "The most jobs of one API key that have not ended. More get 429.",
        low=1,
        high=100_000,
        service="jobs.limits.maxOpenJobs",
    )
    jobs_link_seconds: int = setting(
        "TTS_JOBS_LINK_SECONDS",
        300,
        "How long links to the audio in a bucket work, to which the server redirects. With 0, and from a folder, it "
        "sends the audio itself.",
        low=0,
        high=604_800,
    )
    jobs_webhook_hosts: tuple[str, ...] = setting(
        "TTS_JOBS_WEBHOOK_HOSTS",
        (),
        "Hosts to which jobs may send a message at their end, such as hooks.example.com or *.example.com. If empty, "
        "none.",
        service="jobs.webhooks.hosts",
    )
    jobs_webhook_secret: str = setting(
        "TTS_JOBS_WEBHOOK_SECRET",
        "",
        "The secret behind the signatures of these messages: whsec_ and base64, or text, of at least 16 bytes. If "
        "empty, they are not signed.",
        secret=True,
        service="jobs.webhooks.secretRef",
    )
    jobs_webhook_private: str = setting(
        "TTS_JOBS_WEBHOOK_PRIVATE",
        "no",
        "Whether these hosts may have addresses inside the network, and http:// is allowed.",
        choices=("no", "yes"),
    )
    kafka_bootstrap_servers: str = setting(
        "TTS_KAFKA_BOOTSTRAP_SERVERS",
        "",
        "The brokers of a Kafka cluster, through which servers give jobs to workers. If empty, the server speaks its "
        "jobs itself.",
        service="jobs.kafka.bootstrapServers",
    )
    kafka_topic_prefix: str = setting(
        "TTS_KAFKA_TOPIC_PREFIX", "tts", "How the names of all topics begin.", service="jobs.kafka.topicPrefix"
    )
    kafka_partitions: int = setting(
        "TTS_KAFKA_PARTITIONS",
        12,
        "The number of partitions of a topic that does not exist yet. At most so many workers speak at once.",
        low=1,
        high=1000,
        service="jobs.kafka.partitions",
    )
    kafka_group: str = setting(
        "TTS_KAFKA_GROUP", "", "The consumer group of the workers. If empty, the prefix and `.workers`."
    )
    kafka_instance: str = setting(
        "TTS_KAFKA_INSTANCE",
        "",
        "A name of this worker that no other has (group.instance.id). With it, a worker that restarts keeps its "
        "partitions.",
        service=OPERATOR,
    )
    kafka_security_protocol: str = setting(
        "TTS_KAFKA_SECURITY_PROTOCOL",
        "plaintext",
        "How to connect to the brokers.",
        choices=("plaintext", "ssl", "sasl_plaintext", "sasl_ssl"),
        service="jobs.kafka.tls",
    )
    kafka_ca_file: str = setting(
        "TTS_KAFKA_CA_FILE",
        "",
        "A PEM file with the certificates that the brokers' must be signed by.",
        service="jobs.kafka.tls.caSecretRef",
    )
    kafka_sasl_mechanism: str = setting(
        "TTS_KAFKA_SASL_MECHANISM",
        "",
        "How to log in at the brokers, with a security protocol that begins with sasl.",
        choices=("plain", "scram-sha-256", "scram-sha-512"),
        service="jobs.kafka.sasl.mechanism",
    )
    kafka_username: str = setting(
        "TTS_KAFKA_USERNAME", "", "The user name at the brokers.", service="jobs.kafka.sasl.secretRef"
    )
    kafka_password: str = setting(
        "TTS_KAFKA_PASSWORD", "", "The password at the brokers.", secret=True, service="jobs.kafka.sasl.secretRef"
    )
    drain_seconds: float = setting(
        "TTS_DRAIN_SECONDS",
        5.0,
        "How long `tts-server drain` waits for traffic to move away.",
        low=0,
        high=600,
        service=OPERATOR,
    )
    log_level: str = setting(
        "TTS_LOG_LEVEL", "info", "The lowest level that is logged.", choices=LOG_LEVELS, service="server.logLevel"
    )

    upstream: UpstreamSettings = field(default=UpstreamSettings(), metadata={GROUP: UpstreamSettings})
    triton: TritonSettings = field(default=TritonSettings(), metadata={GROUP: TritonSettings})

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read the variables. Unset and empty ones keep their default. Raises :class:`SettingsError`."""
        made = read(cls, environ)
        if made.kafka_bootstrap_servers and not made.jobs_storage:
            raise SettingsError("TTS_KAFKA_BOOTSTRAP_SERVERS also needs TTS_JOBS_STORAGE, a bucket or a shared folder.")
        if made.kafka_security_protocol.startswith("sasl") != bool(made.kafka_sasl_mechanism):
            raise SettingsError(
                "TTS_KAFKA_SASL_MECHANISM needs a TTS_KAFKA_SECURITY_PROTOCOL of sasl_ssl or sasl_plaintext, and these "
                "need it."
            )
        if made.redis_url and not made.redis_url.startswith(("redis://", "rediss://")):
            # Without the value, which may contain a password.
            raise SettingsError("TTS_REDIS_URL must begin with redis:// or rediss://.")
        if made.probe_public_key and len(_bytes("TTS_PROBE_PUBLIC_KEY", made.probe_public_key)) != PUBLIC_KEY_BYTES:
            raise SettingsError(f"TTS_PROBE_PUBLIC_KEY must be {PUBLIC_KEY_BYTES} bytes in base64url.")
        if made.probe_public_key and not made.pod_uid:
            raise SettingsError("TTS_PROBE_PUBLIC_KEY also needs TTS_POD_UID, the uid of the pod (metadata.uid).")
        if made.redis_signing_key and len(_bytes("TTS_REDIS_SIGNING_KEY", made.redis_signing_key)) < SIGNING_KEY_BYTES:
            raise SettingsError(f"TTS_REDIS_SIGNING_KEY must be at least {SIGNING_KEY_BYTES} bytes in base64url.")
        return made


def decoded(text: str) -> bytes:
    """Decode base64url, with or without padding. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _bytes(env: str, text: str) -> bytes:
    try:
        return decoded(text)
    except (ValueError, binascii.Error):
        # Without the value, which may be secret.
        raise SettingsError(f"{env} is not valid base64url (letters, digits, '-' and '_').") from None
