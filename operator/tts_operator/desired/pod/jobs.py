"""What the pods need for jobs, which are long texts: the settings of the server, its volumes, and those of a worker."""

from typing import Any

from tts_operator.api import TTSService
from tts_operator.api.jobs import S3, Jobs, Kafka, Webhooks
from tts_operator.api.references import SecretKeyReference
from tts_operator.desired.identity import jobs_claim_name
from tts_operator.desired.pod.probe import CONTAINER
from tts_operator.desired.pod.secret import CA_FILE, from_secret
from tts_operator.json_object import Json

FOLDER = "/var/lib/tts-server/jobs"
"""Mount path of the claim that holds jobs."""
BUCKET_CA, BROKERS_CA = "/etc/tts-server/bucket-ca", "/etc/tts-server/brokers-ca"
"""Mount paths of certificates. Folders and not only their files, as for the lexicon."""
BROKERS = "TTS_KAFKA_BOOTSTRAP_SERVERS"
INSTANCE: Json = {"name": "TTS_KAFKA_INSTANCE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
"""The name of a worker in its consumer group. A container that restarts keeps its partitions."""
_ACCESS_KEY, _SECRET_KEY, _SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"


def environment(service: TTSService) -> list[Json]:
    """The settings for jobs (docs/server.md); none if the service takes no jobs."""
    jobs = service.spec.jobs
    if jobs is None:
        return []
    return [
        {"name": "TTS_JOBS_STORAGE", "value": _storage(service, jobs)},
        {"name": "TTS_JOBS_KEEP_SECONDS", "value": str(jobs.retention_seconds)},
        {"name": "TTS_JOBS_MAX_OPEN", "value": str(jobs.limits.max_open_jobs)},
        *(_webhooks(jobs.webhooks) if jobs.webhooks is not None else ()),
        *(_bucket(jobs.storage.s3) if jobs.storage.s3 is not None else ()),
        *(_kafka(service, jobs.kafka) if jobs.kafka is not None else ()),
    ]


def _storage(service: TTSService, jobs: Jobs) -> str:
    bucket = jobs.storage.s3
    if bucket is None:
        return FOLDER
    return f"s3://{bucket.bucket}/{bucket.prefix or f'{service.namespace}/{service.name}'}"


def _webhooks(webhooks: Webhooks) -> list[Json]:
    secret = webhooks.secret_ref
    return [
        {"name": "TTS_JOBS_WEBHOOK_HOSTS", "value": ",".join(webhooks.hosts)},
        *([from_secret("TTS_JOBS_WEBHOOK_SECRET", secret.name, secret.key)] if secret is not None else ()),
    ]


def _bucket(bucket: S3) -> list[Json]:
    plain = {
        "AWS_REGION": bucket.region,
        "AWS_ENDPOINT_URL": bucket.endpoint,
        "TTS_JOBS_CA_FILE": f"{BUCKET_CA}/{CA_FILE}" if bucket.ca_secret_ref else None,
    }
    if bucket.credentials_secret_ref is None:
        # The role of the ServiceAccount, and never that of the node, which is not the tenant's.
        return _set({**plain, "AWS_EC2_METADATA_DISABLED": "true"})
    name = bucket.credentials_secret_ref.name
    return [
        *_set(plain),
        from_secret(_ACCESS_KEY, name, _ACCESS_KEY),
        from_secret(_SECRET_KEY, name, _SECRET_KEY),
        from_secret(_SESSION_TOKEN, name, _SESSION_TOKEN, optional=True),
    ]


def _kafka(service: TTSService, kafka: Kafka) -> list[Json]:
    encrypted = kafka.tls is not None
    transport = "ssl" if encrypted else "plaintext"
    ca = kafka.tls.ca_secret_ref if kafka.tls is not None else None
    plain = {
        BROKERS: ",".join(kafka.bootstrap_servers),
        "TTS_KAFKA_TOPIC_PREFIX": kafka.topic_prefix or f"{service.namespace}.{service.name}",
        "TTS_KAFKA_PARTITIONS": str(kafka.partitions),
        "TTS_KAFKA_SECURITY_PROTOCOL": f"sasl_{transport}" if kafka.sasl else transport,
        "TTS_KAFKA_CA_FILE": f"{BROKERS_CA}/{CA_FILE}" if ca else None,
        "TTS_KAFKA_SASL_MECHANISM": kafka.sasl.mechanism if kafka.sasl else None,
    }
    if kafka.sasl is None:
        return _set(plain)
    name = kafka.sasl.secret_ref.name
    return [
        *_set(plain),
        from_secret("TTS_KAFKA_USERNAME", name, "username"),
        from_secret("TTS_KAFKA_PASSWORD", name, "password"),
    ]


def _set(plain: dict[str, str | None]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in plain.items() if value]


def volumes(service: TTSService) -> list[Json]:
    """The claim, and the certificates of bucket and brokers."""
    found: list[Json] = []
    if service.spec.jobs is not None and service.spec.jobs.storage.persistent_volume_claim is not None:
        found.append({"name": "jobs", "persistentVolumeClaim": {"claimName": jobs_claim_name(service)}})
    for name, _, reference in _certificates(service):
        items = [{"key": reference.key, "path": CA_FILE}]
        found.append({"name": name, "secret": {"secretName": reference.name, "items": items}})
    return found


def mounts(service: TTSService) -> list[Json]:
    """Where the volumes are mounted."""
    found: list[Json] = []
    if service.spec.jobs is not None and service.spec.jobs.storage.persistent_volume_claim is not None:
        found.append({"name": "jobs", "mountPath": FOLDER})
    return found + [{"name": name, "mountPath": path, "readOnly": True} for name, path, _ in _certificates(service)]


def _certificates(service: TTSService) -> list[tuple[str, str, SecretKeyReference]]:
    """The volume, the mount path, and the source of each file of certificates."""
    jobs = service.spec.jobs
    bucket = jobs.storage.s3.ca_secret_ref if jobs is not None and jobs.storage.s3 is not None else None
    tls = jobs.kafka.tls if jobs is not None and jobs.kafka is not None else None
    brokers = tls.ca_secret_ref if tls is not None else None
    found = (("bucket-ca", BUCKET_CA, bucket), ("brokers-ca", BROKERS_CA, brokers))
    return [(name, path, reference) for name, path, reference in found if reference is not None]


def has_workers(template: Json) -> bool:
    """Whether the pods of a template leave their jobs to workers. Accepts any template, whatever it contains."""
    containers = template["spec"].get("containers")
    return any(
        _is_named(variable, BROKERS)
        for container in (containers if isinstance(containers, list) else ())
        if _is_named(container, CONTAINER)
        for variable in _list(container.get("env"))
    )


def as_work(container: Any, resources: Json | None) -> Any:
    """Return the server's container as that of a worker, with these resources, if any. Leaves others alone."""
    if not _is_named(container, CONTAINER):
        return container
    changed = {"resources": resources} if resources is not None else {}
    # Two variables of one name would be refused, and podTemplate may contain anything.
    others = [each for each in _list(container.get("env")) if not _is_named(each, INSTANCE["name"])]
    return {**container, "args": ["work"], "env": [*others, INSTANCE], **changed}


def _is_named(item: Any, name: str) -> bool:
    return isinstance(item, dict) and item.get("name") == name


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
