"""The speech gate: whether a new version of the model still speaks, before and while it gets traffic.

Pure: recording, measure, length, judge, sentences, live. With I/O over a given aiohttp session: client, check,
prometheus.
"""
