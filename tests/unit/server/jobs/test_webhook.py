"""The message at the end of a job."""

import base64
import hashlib
import hmac
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tts_server.__main__ import main
from tts_server.jobs.model import JobName
from tts_server.jobs.webhook import WebhookAddressError, WebhookError, Webhooks, is_due, key_of
from tts_server.settings import SettingsError

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
JOB = JobName("shop", "job_" + "0" * 28)


class Receiver(http.server.BaseHTTPRequestHandler):
    status = 200
    got: list[tuple[dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((dict(self.headers), body))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    handler = type("Handler", (Receiver,), {"got": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?a=1", handler
    server.shutdown()
    thread.join()
    server.server_close()


def webhooks(*, private: bool = True, secret: str = SECRET) -> Webhooks:
    return Webhooks(["127.0.0.1", "localhost", "hooks.example.com", "*.example.org"], secret, private=private)


def signature(key: str, headers: dict[str, str], body: bytes) -> str:
    """As every library for Standard Webhooks computes it."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(base64.b64decode(key.removeprefix("whsec_")), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def test_a_message_is_signed_with_the_key_of_its_tenant(receiver: tuple[str, type[Receiver]]) -> None:
    url, handler = receiver
    webhooks().send(JOB, url, {"type": "audio.job.completed"}, time.time())
    [(headers, body)] = handler.got
    assert json.loads(body) == {"type": "audio.job.completed"}
    assert headers["webhook-id"] == JOB.id
    assert headers["webhook-signature"] == signature(key_of(SECRET, "shop"), headers, body)
    for other in (key_of(SECRET, "other"), key_of(SECRET.replace("A", "B"), "shop"), SECRET):
        assert headers["webhook-signature"] != signature(other, headers, body)


def test_an_operator_prints_the_key_of_a_tenant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTS_JOBS_WEBHOOK_SECRET", SECRET)
    assert main(["webhook-key", "shop"]) == 0
    assert capsys.readouterr().out == f"{key_of(SECRET, 'shop')}\n"


@pytest.mark.parametrize(
    "secret, tenant, complaint",
    [
        ("", "shop", "TTS_JOBS_WEBHOOK_SECRET is not set"),
        ("too short", "shop", "has 9 bytes, and needs at least 16"),
        (SECRET, "a shop", "'a shop' is not the name of an API key"),
        (SECRET, "", "'' is not the name of an API key"),
    ],
)
def test_why_there_is_no_key(
    secret: str, tenant: str, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTS_JOBS_WEBHOOK_SECRET", secret)
    assert main(["webhook-key", tenant]) == 2
    shown = capsys.readouterr()
    assert complaint in shown.err
    assert shown.out == ""


def test_without_a_secret_there_is_no_signature(receiver: tuple[str, type[Receiver]]) -> None:
    url, handler = receiver
    webhooks(secret="").send(JOB, url, {}, time.time())
    assert "webhook-signature" not in handler.got[0][0]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_not_received_is_sent_again_for_a_day(receiver: tuple[str, type[Receiver]], status: int) -> None:
    url, handler = receiver
    handler.status = status
    with pytest.raises(WebhookError) as failed:
        webhooks().send(JOB, url, {}, time.time() - 3600)
    assert failed.value.retry_after >= 1800
    webhooks().send(JOB, url, {}, time.time() - 2 * 86_400)
    assert len(handler.got) == 2, "redirects are not followed"


def test_a_host_that_is_not_there_is_tried_again() -> None:
    with pytest.raises(WebhookError):
        webhooks().send(JOB, "http://127.0.0.1:9/", {}, time.time())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_hosts_inside_the_network_get_nothing(caplog: pytest.LogCaptureFixture, host: str) -> None:
    webhooks(private=False).send(JOB, f"https://{host}/", {}, time.time())
    assert "webhook refused" in caplog.text


@pytest.mark.parametrize(
    "address, public",
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
    ],
)
def test_addresses_inside_the_network_also_as_ipv6(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, public: bool
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(family, socket.SOCK_STREAM, 6, "", (address, 443))])
    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(WebhookError) if public else nullcontext():
        webhooks(private=False).send(JOB, "https://hooks.example.com/", {}, time.time())
    assert ("webhook refused" in caplog.text) != public


def test_a_secret_that_is_no_base64() -> None:
    with pytest.raises(SettingsError, match="TTS_JOBS_WEBHOOK_SECRET") as refused:
        webhooks(secret="whsec_s3cret!")
    assert "s3cret" not in str(refused.value)


def test_pauses_between_sweeps_grow() -> None:
    tries = [age for age in range(1200, 100_000, 600) if is_due(float(age), 600.0)]
    within_a_day = [age for age in tries if age < 86_400]
    assert 8 <= len(within_a_day) <= 14
    assert all(86_400 + 600 * more in tries for more in range(5))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a",
        "https://HOOKS.example.com:8443/a?b=c",
        "https://a.example.org/",
    ],
)
def test_urls_that_are_allowed(url: str) -> None:
    webhooks(private=False).check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://example.com/",
        "https://example.org/",
        "https://badexample.org/",
        "https://user@hooks.example.com/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com/\r\nX: y",
        "https://hooks.example.com/好",
        "https://hooks.example.com/" + "a" * 2048,
        "ftp://hooks.example.com/",
        "https://",
        "https://[::1",
        "https://" + "a" * 64 + ".example.org/",
        "https://a..example.org/",
        "",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(WebhookAddressError):
        webhooks(private=False).check(url)
