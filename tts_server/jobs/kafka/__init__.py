"""The queue of several processes, in Apache Kafka. See docs/architecture/jobs.md."""
