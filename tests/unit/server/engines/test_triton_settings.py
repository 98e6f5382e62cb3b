"""TTS_TRITON_*: what is accepted, and what is wrong with the rest."""

import re

import pytest

from tts_server.engines import session_count
from tts_server.settings import Settings, SettingsError


@pytest.mark.parametrize(
    "url,address,secure",
    [
        ("grpc://triton:8001", "triton:8001", False),
        ("grpc://triton", "triton:8001", False),
        ("grpc://10.0.0.1:9000/", "10.0.0.1:9000", False),
        ("grpc://[::1]:8001", "[::1]:8001", False),
        ("grpcs://triton.example.com:443", "triton.example.com:443", True),
        ("grpcs://triton", "triton:8001", True),
    ],
)
def test_addresses(url: str, address: str, secure: bool) -> None:
    settings = Settings.from_environ({"TTS_TRITON_URL": url}).triton
    assert (settings.address, settings.secure) == (address, secure)


def test_no_password_is_shown() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environ({"TTS_TRITON_URL": "grpc://tts:hush@triton:8001"})
    assert "hush" not in str(raised.value)
    assert "hush" not in repr(Settings.from_environ({"TTS_TRITON_API_KEY": "hush"}))


@pytest.mark.parametrize(
    "variable,value,expected",
    [
        ("TTS_TRITON_URL", "triton:8001", "TTS_TRITON_URL must be the gRPC address of a Triton, such as"),
        ("TTS_TRITON_URL", "http://triton:8000", "such as grpc://triton:8001, not 'http://triton:8000'."),
        ("TTS_TRITON_URL", "grpc://triton:8001/v2", "TTS_TRITON_URL must be grpc:// or grpcs://, a host and a port"),
        ("TTS_TRITON_URL", "grpc://:8001", "TTS_TRITON_URL must be grpc:// or grpcs://, a host and a port"),
        ("TTS_TRITON_API_KEY_HEADER", "x key", "TTS_TRITON_API_KEY_HEADER must be the name of a header"),
        ("TTS_TRITON_API_KEY_HEADER", "key-bin", "TTS_TRITON_API_KEY_HEADER must be the name of a header"),
        ("TTS_TRITON_URL", "grpc://triton:port", "TTS_TRITON_URL is no URL: "),
        ("TTS_TRITON_VOCODER_MODEL", "a/b", "TTS_TRITON_VOCODER_MODEL must be the name of a model"),
        ("TTS_TRITON_REQUEST_SECONDS", "0", "TTS_TRITON_REQUEST_SECONDS must be a number from 0.1 to 300"),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(expected)):
        Settings.from_environ({variable: value})


def test_sentences_at_once() -> None:
    assert session_count(Settings(engine="triton")) == 16
    assert session_count(Settings(engine="triton", threads=3)) == 3
