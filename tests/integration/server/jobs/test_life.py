"""Jobs on a real server with a folder: from a text to its audio."""

import io
from pathlib import Path
from typing import Any

import av
import pysubs2
import pytest
import soundfile

from tests.integration.server.conftest import Server, wait_until
from tests.integration.server.jobs.requesting import LONG, PATH, SHORT, call, ended, submit


def test_a_job_from_beginning_to_end(jobs: Server) -> None:
    url = submit(jobs, chapters="heading", subtitles="vtt", title="山水", metadata={"isbn": "1"})
    job = ended(jobs, url)
    assert (job["status"], job["title"], job["metadata"]) == ("completed", "山水", {"isbn": "1"})
    assert [each["title"] for each in job["chapters"]] == ["第一章 山", "第二章 水"]
    audio = call(jobs, "GET", f"{url}/audio")
    assert audio.headers["Content-Type"] == "audio/mpeg"
    assert audio.headers["Content-Disposition"].endswith("filename*=UTF-8''%E5%B1%B1%E6%B0%B4.mp3")
    assert len(audio.content) == job["audio"]["bytes"]
    container: Any
    with av.open(io.BytesIO(audio.content)) as container:
        assert container.metadata["title"] == "山水"
        assert [each["metadata"]["title"] for each in container.chapters()] == ["第一章 山", "第二章 水"]
        assert [each["start"] / 1000 for each in container.chapters()] == [each["start"] for each in job["chapters"]]
        assert container.duration / 1e6 == pytest.approx(job["audio"]["seconds"], abs=0.1)
    captions = pysubs2.SSAFile.from_string(call(jobs, "GET", f"{url}/subtitles").text, format_="vtt")
    assert "山高水长" in "".join(each.text for each in captions)
    assert captions[-1].end / 1000 <= job["audio"]["seconds"] + 0.001


def test_an_audio_book(jobs: Server) -> None:
    job = ended(jobs, submit(jobs, chapters="heading", title="山水", response_format="m4b"))
    audio = call(jobs, "GET", job["audio"]["url"])
    assert audio.headers["Content-Type"] == "audio/mp4"
    container: Any
    with av.open(io.BytesIO(audio.content)) as container:
        assert container.metadata["title"] == "山水"
        assert [each["metadata"]["title"] for each in container.chapters()] == ["第一章 山", "第二章 水"]
        assert container.duration / 1e6 == pytest.approx(job["audio"]["seconds"], abs=0.001)
        rate = container.streams.audio[0].rate
        heard = sum(frame.samples for frame in container.decode(audio=0))
        assert heard / rate == pytest.approx(job["audio"]["seconds"], abs=0.05)


def test_a_part_of_the_audio(jobs: Server) -> None:
    url = submit(jobs, "很好。")
    ended(jobs, url)
    whole = call(jobs, "GET", f"{url}/audio")
    part = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole.content)}"
    rest = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=-50", "If-Range": whole.headers["ETag"]})
    assert (rest.status_code, rest.content) == (206, whole.content[-50:])
    other = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=-50", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, whole.content)
    beyond = call(jobs, "GET", f"{url}/audio", headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(whole.content)}"
    head = call(jobs, "HEAD", f"{url}/audio")
    assert (head.headers["Content-Length"], head.content) == (str(len(whole.content)), b"")


def test_a_text_as_a_stream(jobs: Server) -> None:
    response = call(
        jobs,
        "POST",
        f"{PATH}?response_format=flac&speed=1.5",
        data=iter([SHORT.encode()[:10], SHORT.encode()[10:]]),
        headers={"Content-Type": "text/plain"},
    )
    assert response.status_code == 202, response.text
    assert response.json()["characters"] == len(SHORT)
    job = ended(jobs, response.json()["url"])
    with soundfile.SoundFile(io.BytesIO(call(jobs, "GET", job["audio"]["url"]).content)) as file:
        assert file.frames / file.samplerate == pytest.approx(job["audio"]["seconds"], abs=0.001)


def test_a_text_in_the_storage(jobs: Server) -> None:
    file = Path(jobs.environ["TTS_JOBS_STORAGE"]) / "inbox" / "shop" / "books" / "1.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SHORT, encoding="utf-8-sig")
    response = call(jobs, "POST", json={"input_file": "books/1.txt"})
    assert response.status_code == 202, response.text
    assert response.json()["characters"] == len(SHORT)
    assert call(jobs, "POST", json={"input_file": "books/1.txt"}, key="0ther").json()["error"]["code"] == "no_such_file"
    file.write_bytes(b"\xff")
    assert call(jobs, "POST", json={"input_file": "books/1.txt"}).json()["error"]["code"] == "invalid_unicode"


def test_the_same_key_and_request_is_one_job(jobs: Server) -> None:
    headers = {"Idempotency-Key": "chapter 1"}
    first = call(jobs, "POST", json={"input": SHORT}, headers=headers)
    again = call(jobs, "POST", json={"input": SHORT}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["id"] == again.json()["id"]
    other = call(jobs, "POST", json={"input": "很好。"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


def test_a_page_of_jobs(jobs: Server) -> None:
    newest = [submit(jobs, "很好。").rpartition("/")[2] for _ in range(3)][::-1]
    page = call(jobs, "GET", f"{PATH}?limit=2").json()
    assert [each["id"] for each in page["data"]] == newest[:2]
    assert page["has_more"]
    rest = call(jobs, "GET", f"{PATH}?limit=1&after={page['last_id']}").json()
    assert [each["id"] for each in rest["data"]] == newest[2:]


def test_other_keys_see_nothing_of_a_job(jobs: Server) -> None:
    url = submit(jobs, "很好。")
    paths = (("GET", "/audio"), ("GET", "/subtitles"), ("POST", "/cancel"), ("GET", ""), ("DELETE", ""))
    for method, path in ((method, url + path) for method, path in paths):
        assert call(jobs, method, path, key="0ther").status_code == 404
        assert call(jobs, method, path, key="wrong").status_code == 401
    assert call(jobs, "GET", key="0ther").json()["data"] == []


@pytest.mark.parametrize("method, path", [("POST", "/cancel"), ("DELETE", "")])
def test_a_job_is_cancelled_and_then_removed(jobs: Server, method: str, path: str) -> None:
    url = submit(jobs, LONG)
    assert call(jobs, "GET", f"{url}/audio").json()["error"]["code"] == "job_not_completed"
    assert call(jobs, method, url + path).json()["status"] == "cancelled"
    assert ended(jobs, url)["status"] == "cancelled"
    assert call(jobs, "GET", f"{url}/audio").status_code == 409
    again = call(jobs, "POST", f"{url}/cancel")
    assert (again.status_code, again.json()["status"]) == (200, "cancelled")
    assert call(jobs, "DELETE", url).json()["deleted"] is True
    assert call(jobs, "GET", url).status_code == 404
    assert call(jobs, "POST", f"{url}/cancel").json()["error"]["code"] == "job_not_found"


def test_a_job_that_is_completed_keeps_its_audio_when_it_is_cancelled(jobs: Server) -> None:
    url = submit(jobs, "很好。")
    job = ended(jobs, url)
    refused = call(jobs, "POST", f"{url}/cancel")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_ended")
    assert "'completed'" in refused.json()["error"]["message"]
    assert call(jobs, "GET", url).json() == job
    assert len(call(jobs, "GET", f"{url}/audio").content) == job["audio"]["bytes"]


def test_live_requests_pass_a_job(jobs: Server) -> None:
    url = submit(jobs, LONG)
    wait_until(lambda: call(jobs, "GET", url).json()["status"] == "in_progress")
    for number in range(5):
        response = call(
            jobs, "POST", "/v1/audio/speech", json={"input": f"第{number}位客人，您好。", "response_format": "wav"}
        )
        assert response.status_code == 200
    assert call(jobs, "GET", url).json()["status"] == "in_progress"
    call(jobs, "DELETE", url)
