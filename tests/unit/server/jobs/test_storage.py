"""Objects in a folder and in memory."""

from pathlib import Path

import obstore
import pytest
from obstore.exceptions import NotFoundError
from obstore.store import MemoryStore

from tts_server.jobs.storage import (
    Entry,
    NoBucketError,
    NoObjectError,
    ObjectStorage,
    Storage,
    StorageAddressError,
    StorageError,
    open_storage,
    pause_after,
)


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path / "a" / "b")) if request.param == "folder" else ObjectStorage(MemoryStore())


def test_of_two_who_create_an_object_one_wins(storage: Storage) -> None:
    assert storage.create("a/b", b"1")
    assert not storage.create("a/b", b"2")
    assert storage.read("a/b", limit=1) == b"1"


def test_an_object_is_read_whole_or_in_part(storage: Storage) -> None:
    storage.write("a", b"hello")
    assert storage.size("a") == 5
    assert storage.read_range("a", 1, 3) == b"el"
    assert storage.read_range("a", 3, 99) == b"lo"


def test_an_object_that_is_too_large_is_not_read(storage: Storage) -> None:
    storage.write("a", b"hello")
    with pytest.raises(StorageError, match="5 bytes"):
        storage.read("a", limit=4)


def test_what_does_not_exist(storage: Storage) -> None:
    assert storage.size("a/b") is None
    assert list(storage.walk("a/")) == []
    assert storage.folders("a/") == []
    storage.delete(["a/b", "c"])
    with pytest.raises(NoObjectError):
        storage.read("a/b", limit=1)
    with pytest.raises(NoObjectError):
        storage.read_range("a/b", 0, 1)


def test_an_object_written_in_parts_is_there_at_the_end(storage: Storage) -> None:
    writer = storage.writer("a/large")
    for _ in range(20):
        writer.write(bytes(1 << 20))
    assert storage.size("a/large") is None
    writer.close()
    assert storage.size("a/large") == 20 << 20


def test_an_object_keeps_the_headers_of_its_links(tmp_path: Path) -> None:
    memory = MemoryStore()
    headers = {"Content-Type": "audio/mpeg", "Content-Disposition": 'attachment; filename="book.mp3"'}
    for storage in (ObjectStorage(memory), open_storage(str(tmp_path))):
        writer = storage.writer("a", headers)
        writer.write(b"audio")
        writer.close()
        assert storage.read("a", limit=5) == b"audio"
    assert obstore.get(memory, "a").attributes == headers


def test_lists(storage: Storage) -> None:
    for name in ("a/1/x", "a/1/y", "a/2/z", "ab/3", "c"):
        storage.write(name, b"12")
    assert sorted(storage.walk("a/"), key=lambda each: each.name) == [
        Entry("a/1/x", 2),
        Entry("a/1/y", 2),
        Entry("a/2/z", 2),
    ]
    assert storage.folders("a/") == ["1", "2"]
    storage.delete(["a/1/x", "a/nothing", "a/1/y"])
    assert storage.folders("a/") == ["2"]


_ANSWER = (
    "Generic S3 error: Error performing PUT https://here/bucket/a in 3ms - Server returned non-2xx status code: 403 "
    'Forbidden: <?xml version="1.0"?>{}<Error><Code>SignatureDoesNotMatch</Code><Message>Check your key.</Message>'
    "<StringToSign>AWS4</StringToSign></Error>\n\nDebug source: ..."
)


@pytest.mark.parametrize("separator", ["", "\n"])
def test_the_reason_of_a_bucket_is_told_without_the_rest_of_its_answer(separator: str) -> None:
    storage = ObjectStorage(MemoryStore())
    with pytest.raises(StorageError) as failed:
        storage._wait(lambda: _raise(OSError(_ANSWER.format(separator))))
    assert str(failed.value) == f"{_ANSWER.split(': <?xml', maxsplit=1)[0]}: SignatureDoesNotMatch: Check your key."


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("code", ["NoSuchBucket", "ContainerNotFound"])
def test_a_bucket_that_is_missing_is_no_missing_object(code: str) -> None:
    storage = ObjectStorage(MemoryStore())
    answer = f"Object at location a not found: 404 Not Found: <Error><Code>{code}</Code></Error>"
    with pytest.raises(NoBucketError, match="The bucket does not exist"):
        storage._wait(lambda: _raise(NotFoundError(answer)))
    with pytest.raises(NoObjectError):
        storage._wait(lambda: _raise(NotFoundError(answer.replace(code, "NoSuchKey"))))


def test_an_object_that_is_missing_is_asked_for_twice_only_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(_: object, name: str) -> None:
        asked.append(name)
        raise NotFoundError("<Code>NoSuchKey</Code>")

    storage = ObjectStorage(MemoryStore())
    monkeypatch.setattr("tts_server.jobs.storage.obstore.get", get)
    assert [storage.size(each) for each in "abc"] == [None] * 3
    assert asked == ["a"]


def test_a_folder_has_no_links(storage: Storage) -> None:
    assert storage.link("a", 60) is None


@pytest.mark.parametrize(
    "address", ["ftp://bucket/", "s3://", "s3://user:pass@bucket/", "s3://bucket/?a=b", "az://c/p"]
)
def test_addresses_that_are_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(StorageAddressError) as refused:
        open_storage(address)
    assert "pass" not in str(refused.value)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageAddressError):
        open_storage(str(tmp_path / "file" / "folder"))


def test_a_storage_that_is_away_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts_server.jobs.storage._RETRIES", {"max_retries": 0})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("AWS_REGION", "here")
    away = open_storage("s3://bucket/prefix")
    with pytest.raises(StorageError) as failed:
        away.size("a")
    assert "builder" not in str(failed.value)
    assert "s3cret" not in str(failed.value)
    link = away.link("a/b", 60)
    assert link is not None
    assert "/bucket/prefix/a/b?" in link


@pytest.mark.parametrize("identity", [None, "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"])
def test_the_identity_of_the_machine_can_be_forbidden(identity: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    if identity is not None:
        monkeypatch.setenv(identity, "mine")
        more = "AWS_SECRET_ACCESS_KEY" if identity == "AWS_ACCESS_KEY_ID" else "AWS_ROLE_ARN"
        monkeypatch.setenv(more, "mine")
        open_storage("s3://bucket/prefix")
        return
    with pytest.raises(StorageAddressError, match="credentialsSecretRef"):
        open_storage("s3://bucket/prefix")


@pytest.mark.parametrize("content", [None, b"\xff", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_certificates_that_are_none(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StorageAddressError):
        open_storage("s3://bucket/prefix", ca_file=str(file))


def test_pauses_grow_to_a_limit() -> None:
    assert [pause_after(failures) for failures in (0, 1, 4, 6, 100)] == [0.25, 0.5, 4.0, 15.0, 15.0]
