"""Kafka and an S3 server: their configuration, and how tests start them without a cluster.

Both have what users' servers have: TLS, credentials, and no topic or bucket that nobody has created.
"""
