"""Long texts through Kafka and S3: ``python -m bench.jobs``."""
