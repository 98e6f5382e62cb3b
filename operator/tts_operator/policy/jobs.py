"""Checks `spec.jobs` against the policy: what its pods connect to, and the priority of its workers."""

from collections.abc import Iterator

from tts_operator.api import Spec
from tts_operator.api.jobs import S3, Jobs, Kafka
from tts_operator.policy.addresses import host_problem, problem
from tts_operator.policy.bounds import Bounds, Violation, refused, shown
from tts_operator.policy.patterns import any_matches
from tts_operator.policy.template import priority_class_violation

AWS_REGION = "us-east-1"
"""The region of a bucket without one."""


def jobs_violations(spec: Spec, bounds: Bounds) -> Iterator[Violation]:
    """Find violations in `spec.jobs`."""
    jobs = spec.jobs
    if jobs is None:
        return
    if jobs.kafka is not None:
        yield from _brokers(jobs.kafka, bounds)
    if jobs.storage.s3 is not None:
        yield from _endpoint(jobs.storage.s3, bounds)
    for host in jobs.webhooks.hosts if jobs.webhooks is not None else ():
        if not any_matches(bounds.webhook_hosts, host):
            yield refused("spec.jobs.webhooks.hosts", host, bounds.webhook_hosts, "webhookHosts")
    yield from _workers(jobs, bounds)


def _brokers(kafka: Kafka, bounds: Bounds) -> Iterator[Violation]:
    field = "spec.jobs.kafka.bootstrapServers"
    for broker in kafka.bootstrap_servers:
        if wrong := host_problem(broker.rpartition(":")[0].strip("[]")):
            yield Violation(text=f"{field}: {shown(broker)} is not allowed: {wrong}")
        elif not any_matches(bounds.kafka_brokers, broker):
            yield refused(field, broker, bounds.kafka_brokers, "kafkaBrokers")


def _endpoint(bucket: S3, bounds: Bounds) -> Iterator[Violation]:
    field = "spec.jobs.storage.s3.endpoint"
    endpoint = bucket.endpoint or f"https://s3.{bucket.region or AWS_REGION}.amazonaws.com"
    if wrong := problem(endpoint, itself="the pod itself"):
        yield Violation(text=f"{field}: {shown(endpoint)} is not allowed: {wrong}")
    elif not any_matches(bounds.s3_endpoints, endpoint):
        yield refused(field, endpoint, bounds.s3_endpoints, "s3Endpoints")


def _workers(jobs: Jobs, bounds: Bounds) -> Iterator[Violation]:
    placement = jobs.workers.placement if jobs.workers is not None else None
    if placement is None or placement.priority_class_name is None:
        return
    found = priority_class_violation(placement.priority_class_name, bounds)
    if found is not None:
        text = f"spec.jobs.workers.placement.priorityClassName: {found.text}"
        yield Violation(text=text, value=found.value)
