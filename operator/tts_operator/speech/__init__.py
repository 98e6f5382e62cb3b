"""The speech check: whether a new version still produces speech, before and while it receives traffic.

Pure: recording, measure, length, judge, sentences, live. With I/O over a given aiohttp session: client, check,
prometheus.
"""
