"""The S3 server that the tests start: conditional writes and presigned links, and away and back again."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import timedelta

import obstore
import pytest
import requests
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from devcluster.backends import local
from tts_server.jobs.download import headers_of
from tts_server.jobs.model import Job, Options, new_id
from tts_server.jobs.start_check import storage_problem
from tts_server.jobs.storage import NoBucketError, ObjectStorage, open_storage

from .conftest import commands_that_name, open_store


@pytest.fixture
def key() -> str:
    return f"jobs/{secrets.token_hex(4)}/end.json"


def read(store: S3Store, key: str) -> bytes:
    return bytes(obstore.get(store, key).bytes())


def test_an_object_is_created_once(store: S3Store, key: str) -> None:
    obstore.put(store, key, b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, key, b"second", mode="create")
    assert read(store, key) == b"first"


def test_one_of_many_writers_wins(store: S3Store, key: str) -> None:
    async def race() -> list[object]:
        writers = (obstore.put_async(store, key, b"%d" % number, mode="create") for number in range(20))
        return list(await asyncio.gather(*writers, return_exceptions=True))

    results = asyncio.run(race())
    winners = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(result, AlreadyExistsError) for n, result in enumerate(results) if n not in winners)
    assert read(store, key) == b"%d" % winners[0]


def test_a_large_object_in_parts(store: S3Store, key: str) -> None:
    body = secrets.token_bytes(12 << 20)
    obstore.put(store, key, body, use_multipart=True, chunk_size=5 << 20)
    assert read(store, key) == body
    assert bytes(obstore.get_range(store, key, start=6 << 20, length=1000)) == body[6 << 20 :][:1000]


def test_a_presigned_link_needs_no_key(s3: local.S3, store: S3Store, key: str) -> None:
    obstore.put(store, key, b"audio")
    link = obstore.sign(store, "GET", key, timedelta(minutes=1))
    assert requests.get(link, verify=str(s3.gateway.ca_file), timeout=30).content == b"audio"
    assert requests.get(link[:-1], verify=str(s3.gateway.ca_file), timeout=30).status_code == 403


def test_a_link_answers_with_the_title_as_file_name(s3: local.S3, store: S3Store, key: str) -> None:
    job = Job("shop", new_id(), 0.0, "fake", 1, "", Options("one", title="山水"), "")
    headers = headers_of(job, "audio-1.mp3", "audio/mpeg")
    storage = ObjectStorage(store)
    for size in (5, 20 << 20):  # in one request, and in parts
        writer = storage.writer(key, headers)
        writer.write(bytes(size))
        writer.close()
        link = storage.link(key, 60)
        assert link
        answer = requests.get(link, verify=str(s3.gateway.ca_file), timeout=60)
        assert len(answer.content) == size
        assert {name: answer.headers[name] for name in headers} == headers
        assert answer.headers["Content-Disposition"].endswith("filename*=UTF-8''%E5%B1%B1%E6%B0%B4.mp3")


def test_a_bucket_that_is_missing_is_no_missing_object(s3: local.S3, key: str) -> None:
    storage = ObjectStorage(open_store(s3, s3.gateway.ca_file.read_text(), bucket="nobody"))
    for call in (
        lambda: storage.read(key, limit=1),
        lambda: storage.read_range(key, 0, 1),
        lambda: storage.size(key),
        lambda: list(storage.walk("jobs/")),
        lambda: storage.folders("jobs/"),
        lambda: storage.create(key, b""),
        lambda: storage.write(key, b""),
        lambda: storage.delete([key]),
    ):
        with pytest.raises(NoBucketError):
            call()


@pytest.mark.parametrize("end", [local.S3.stop, local.S3.kill], ids=["stopped", "killed"])
def test_objects_outlive_the_server(s3: local.S3, store: S3Store, key: str, end: Callable[[local.S3], None]) -> None:
    obstore.put(store, key, b"kept", mode="create")
    end(s3)
    try:
        with pytest.raises(BaseError):
            read(store, key)
    finally:
        s3.start()
    assert read(store, key) == b"kept"
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, key, b"again", mode="create")


def test_a_server_that_hangs_goes_on(s3: local.S3, store: S3Store, key: str) -> None:
    obstore.put(store, key, b"kept")
    impatient = open_store(s3, s3.gateway.ca_file.read_text(), timeout="2s")
    s3.pause()
    try:
        with pytest.raises(BaseError):
            read(impatient, key)
    finally:
        s3.resume()
    assert read(store, key) == b"kept"


def test_nobody_gets_in_without_the_key_or_the_ca(s3: local.S3, store: S3Store, key: str) -> None:
    obstore.put(store, key, b"kept")
    ca = s3.gateway.ca_file.read_text()
    with pytest.raises((PermissionDeniedError, UnauthenticatedError)):
        read(open_store(s3, ca, secret_access_key="wrong"), key)
    with pytest.raises(BaseError):
        read(open_store(s3, None), key)


def test_the_key_is_in_no_log_and_no_command_line(s3: local.S3) -> None:
    secret = s3.gateway.credentials().password
    lines = "\n".join(commands_that_name(s3.gateway.folder))
    assert "versitygw" in lines
    assert secret not in lines
    assert secret not in s3.log.read_text()
    assert secret not in repr(s3)


@pytest.mark.parametrize(
    "bucket, changes, told",
    [
        ("tts", {}, ""),
        ("nobody", {}, "The bucket does not exist"),
        ("tts", {"AWS_ACCESS_KEY_ID": "nobody"}, "403 Forbidden: InvalidAccessKeyId: The AWS Access Key Id"),
        ("tts", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "403 Forbidden: SignatureDoesNotMatch: The request signature"),
    ],
)
def test_a_worker_says_what_is_wrong_with_its_bucket(
    s3: local.S3, monkeypatch: pytest.MonkeyPatch, bucket: str, changes: dict[str, str], told: str
) -> None:
    for name, value in {**s3.client_environment(), **changes}.items():
        monkeypatch.setenv(name, value)
    problem = storage_problem(open_storage(f"s3://{bucket}/jobs", ca_file=str(s3.gateway.ca_file)))
    assert told in problem
    assert bool(problem) == bool(told)
    assert "StringToSign" not in problem
