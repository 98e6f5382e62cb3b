"""`spec.jobs`: long texts, which the service reads in the background."""

from typing import Annotated, Literal

from pydantic import Field

from tts_operator.api.network import Host
from tts_operator.api.placement import Placement
from tts_operator.api.references import LocalObjectReference, SecretKeyReference
from tts_operator.api.schema import ATOMIC, INT32, SET, ApiModel, Quantity, rule, rules
from tts_operator.api.server import Resources

DEFAULT_WORKERS = 2
Broker = Annotated[
    str,
    Field(
        min_length=3,
        max_length=259,
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]+\]):[1-9][0-9]{0,4}$",
    ),
]
"""HOST:PORT, in lower case. An IPv6 address is in brackets."""


class S3(ApiModel):
    """A bucket of S3, or of a server with the same API that supports conditional writes (If-None-Match)."""

    bucket: str = Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$")
    """Name of the bucket, which must exist."""
    prefix: str | None = Field(
        None, min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"
    )
    """How the names of all objects begin, without a slash at the end. No other service may have the same. Default:
    NAMESPACE/NAME."""
    region: str | None = Field(None, min_length=1, max_length=63, pattern=r"^[a-z0-9-]+$")
    """Region of the bucket. Default: us-east-1."""
    endpoint: str | None = Field(
        None,
        min_length=8,
        max_length=262,
        pattern=r"^https?://([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$",
    )
    """URL of the server, such as https://minio.storage:9000. Default: that of AWS in the region."""
    credentials_secret_ref: LocalObjectReference | None = None
    """Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if there is one. After a
    change of the Secret, run kubectl rollout restart deployment/NAME deployment/NAME-worker. Default: the role of the
    ServiceAccount NAME (workload identity, as by EKS Pod Identity or IRSA)."""
    ca_secret_ref: SecretKeyReference | None = None
    """Key of a Secret that contains the certificates, in PEM, that the server's own must be signed by. Default: those
    of public authorities."""


class JobsClaim(ApiModel):
    """A volume for jobs, that all pods share. The operator manages the claim."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.storageClassName) == has(oldSelf.storageClassName)"
                " && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
                " && self.accessModes == oldSelf.accessModes",
                "storageClassName and accessModes of a claim cannot change: remove spec.jobs, wait until the "
                "TTSService is Ready, then set it again. This deletes all jobs",
            ),
            rule(
                "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
                "jobs.storage.persistentVolumeClaim.size can only grow: set it to at least its previous value",
            ),
        )
    }

    size: Quantity = "50Gi"
    """Size of the volume. Until a job ends, an hour of audio takes about 100 MB; after that, its file."""
    storage_class_name: str | None = Field(None, min_length=1, max_length=253)
    """StorageClass of the volume. Default: the cluster's default class."""
    access_modes: list[Literal["ReadWriteMany", "ReadWriteOnce"]] = Field(
        ["ReadWriteMany"], min_length=1, max_length=2, json_schema_extra=ATOMIC
    )
    """Access modes of the volume. Servers and workers on several nodes need ReadWriteMany."""


class JobStorage(ApiModel):
    """Where texts and audio are kept."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "has(self.s3) != has(self.persistentVolumeClaim)",
                "set either jobs.storage.s3, a bucket that exists, or jobs.storage.persistentVolumeClaim, a volume "
                "that the operator makes",
            ),
        )
    }

    s3: S3 | None = None
    """A bucket of S3, or of a server with the same API that supports conditional writes."""
    persistent_volume_claim: JobsClaim | None = None
    """A volume that all pods share. The operator creates the claim. When you remove this field, or the TTSService, the
    claim is deleted with all jobs."""


class KafkaTLS(ApiModel):
    """TLS to the brokers."""

    ca_secret_ref: SecretKeyReference | None = None
    """Key of a Secret that contains the certificates, in PEM, that those of the brokers must be signed by. Default:
    those of public authorities."""


class SASL(ApiModel):
    """How to log in at the brokers."""

    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    """SASL mechanism, by Kafka's name."""
    secret_ref: LocalObjectReference
    """Secret with the keys username and password, as in one of type kubernetes.io/basic-auth. After a change of the
    Secret, run kubectl rollout restart deployment/NAME deployment/NAME-worker."""


class Kafka(ApiModel):
    """A Kafka cluster, through which servers give jobs to workers."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.sasl) || self.sasl.mechanism != 'PLAIN' || has(self.tls)",
                "jobs.kafka.sasl.mechanism PLAIN sends the password as it is: set jobs.kafka.tls: {}, or a mechanism "
                "that begins with SCRAM",
            ),
        )
    }

    bootstrap_servers: list[Broker] = Field(min_length=1, max_length=16, json_schema_extra=ATOMIC)
    """Addresses of brokers, HOST:PORT, by which the others are found."""
    topic_prefix: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """How the names of all topics begin: PREFIX.jobs, PREFIX.segments, PREFIX.segments.first, PREFIX.requests,
    PREFIX.results, and PREFIX.dead-letter. The pods create those that do not exist, if the user may. No other service
    may have the same. Default: NAMESPACE.NAME."""
    partitions: int = Field(12, ge=1, le=1000, json_schema_extra=INT32)
    """Number of partitions of a topic that the pods create. At most so many workers speak at once. Topics that exist
    stay as they are."""
    tls: KafkaTLS | None = None
    """TLS to the brokers. `{}` trusts public authorities. Default: no TLS."""
    sasl: SASL | None = None
    """How to log in at the brokers. Default: no login."""


class JobLimits(ApiModel):
    """What clients may ask for."""

    max_open_jobs: int = Field(100, ge=1, le=100_000, json_schema_extra=INT32)
    """Maximum number of jobs of one API key that have not ended. Further ones get a 429 response."""


class Webhooks(ApiModel):
    """Messages that jobs send at their end, to the URL that the client has named."""

    hosts: list[Host] = Field(min_length=1, max_length=32, json_schema_extra=SET)
    """Hosts that may get messages, such as hooks.example.com or *.example.com. Others are refused, as are addresses
    inside the network."""
    secret_ref: SecretKeyReference | None = None
    """Key of a Secret that contains the secret behind the signatures of the messages: whsec_ and base64, or text, of at
    least 16 bytes. Default: they are not signed.
    After a change of the Secret, run kubectl rollout restart deployment/NAME deployment/NAME-worker."""


class WorkerAutoscaling(ApiModel):
    """Scales the workers with the jobs that wait."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "self.minReplicas <= self.maxReplicas",
                "jobs.workers.autoscaling.minReplicas must not exceed jobs.workers.autoscaling.maxReplicas: lower the "
                "one, or raise the other",
            ),
        )
    }

    min_replicas: int = Field(1, ge=0, le=1000, json_schema_extra=INT32)
    """Minimum number of workers. With 0, none runs while no job waits. Without KEDA, 0 means 1."""
    max_replicas: int = Field(10, ge=1, le=1000, json_schema_extra=INT32)
    """Maximum number of workers. No more than there are partitions have work."""
    target_waiting_seconds: int = Field(300, ge=1, le=86_400, json_schema_extra=INT32)
    """How much synthesis may wait for each worker, in seconds of one CPU. Only with KEDA."""
    cooldown_seconds: int = Field(300, ge=0, le=3600, json_schema_extra=INT32)
    """How long less work must wait before the number of workers falls, in seconds. What a worker has in hand counts as
    waiting, so the last one stops only when nothing is left to do."""


class Workers(ApiModel):
    """Pods that speak jobs and serve no clients, with the image and settings of the stable revision."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                f"!has(self.autoscaling) || self.replicas == {DEFAULT_WORKERS}",
                "jobs.workers.replicas and jobs.workers.autoscaling are mutually exclusive: remove replicas, because "
                "autoscaling.minReplicas and autoscaling.maxReplicas limit the number of workers, or remove "
                "autoscaling",
            ),
        )
    }

    replicas: int = Field(DEFAULT_WORKERS, ge=0, le=1000, json_schema_extra=INT32)
    """Number of workers. With 0, jobs are accepted and wait. Omit it if autoscaling is set."""
    autoscaling: WorkerAutoscaling | None = None
    """Scales the workers with the jobs that wait, instead of a fixed number of replicas. If the cluster has KEDA (2.17
    or newer), by the synthesis that waits, to zero and back. Otherwise by CPU, with a HorizontalPodAutoscaler, which
    needs metrics-server."""
    resources: Resources | None = None
    """Compute resources of each worker. Default: those of the servers."""
    placement: Placement | None = None
    """Where the workers run. Default: as the servers, but spread on their own."""


class Jobs(ApiModel):
    """Long texts, which the service reads in the background (`/v1/audio/jobs`)."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.workers) || has(self.kafka)",
                "jobs.workers get their work from Kafka: set jobs.kafka, or remove jobs.workers, so that the server "
                "speaks its jobs itself",
            ),
            rule(
                "!has(self.kafka) || !has(self.storage.persistentVolumeClaim)"
                " || 'ReadWriteMany' in self.storage.persistentVolumeClaim.accessModes",
                "servers and workers share the volume of jobs: set jobs.storage.persistentVolumeClaim.accessModes: "
                "[ReadWriteMany], or use jobs.storage.s3",
            ),
        )
    }

    storage: JobStorage
    kafka: Kafka | None = None
    """A Kafka cluster, through which servers give jobs to workers. Default: the only server speaks its jobs itself."""
    limits: JobLimits = Field(default_factory=JobLimits)
    retention_seconds: int = Field(604_800, ge=60, le=31_536_000, json_schema_extra=INT32)
    """How long a job and its audio are kept after its end, in seconds."""
    webhooks: Webhooks | None = None
    """Messages that jobs send at their end. Default: none."""
    workers: Workers | None = None
    """Pods that speak jobs and serve no clients, so that live requests share no CPU with books (Deployment
    NAME-worker). They have the image and the settings of the stable revision. Default: two, if kafka is set."""
