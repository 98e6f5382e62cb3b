"""Links to the files of jobs, for players that cannot send a key."""

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.http import parse_options_header

from tests.unit.server.conftest import FakeEngine
from tests.unit.server.jobs.serving import PATH, jobs_of, served
from tts_server.apikeys import ApiKey
from tts_server.jobs import layout
from tts_server.jobs.model import Audio, End, JobName, to_json

SHOP, OTHER = ApiKey("shop", "s3cret"), ApiKey("other", "0ther")
COMPLETED = End("completed", 1.0, Audio("audio-1.mp3", "audio/mpeg", 5, 1.0, 1, subtitles="subtitles-1.srt"))


def bearer(key: ApiKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.key}"}


def completed(client: FlaskClient, tenant: str, title: str = "山水: 上/下", end: End = COMPLETED) -> str:
    """Return the path of a job that has ended."""
    made = client.post(PATH, json={"input": "你好。", "title": title}, headers=bearer(SHOP)).json
    assert made
    jobs = jobs_of(client)
    name = JobName(tenant, made["id"])
    jobs.storage.write(layout.file(name, "audio-1.mp3"), b"audio")
    jobs.storage.write(layout.file(name, "subtitles-1.srt"), b"1\n")
    jobs.storage.create(layout.end(name), to_json(end))
    return str(made["url"])


def links(client: FlaskClient, url: str, key: ApiKey = SHOP, **fields: Any) -> dict[str, Any]:
    response = client.post(f"{url}/link", json=fields, headers=bearer(key))
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json
    return dict(response.json)


@pytest.fixture
def shop(engine: FakeEngine, tmp_path: Path) -> FlaskClient:
    return served(engine, tmp_path, SHOP, OTHER)


def test_a_link_needs_no_key(shop: FlaskClient) -> None:
    url = completed(shop, "shop")
    made = links(shop, url, redirect=False, expires_in=60)
    assert isinstance(made["expires_at"], int)
    assert shop.get(made["audio"]).data == b"audio"
    assert shop.get(made["audio"], headers={"Range": "bytes=1-2"}).data == b"ud"
    assert shop.get(made["subtitles"]).data == b"1\n"
    assert shop.get(f"{url}/audio").status_code == 401


def test_a_link_leads_to_one_file(shop: FlaskClient) -> None:
    url = completed(shop, "shop")
    made, other = links(shop, url), completed(shop, "shop")
    _, _, query = made["audio"].partition("?")
    for changed in (f"{url}/subtitles?{query}", f"{other}/audio?{query}", f"{made['audio']}&redirect=false"):
        refused = shop.get(changed)
        assert refused.json
        assert (refused.status_code, refused.json["error"]["code"]) == (401, "invalid_link")
    assert shop.get(f"{url}?{query}").status_code == 401
    assert shop.delete(made["audio"]).status_code == 405
    assert shop.delete(f"{url}?{query}").status_code == 401


def test_who_gets_a_link(shop: FlaskClient) -> None:
    url = completed(shop, "shop")
    assert shop.post(f"{url}/link").status_code == 401
    assert shop.post(f"{url}/link", headers=bearer(OTHER)).status_code == 404
    assert shop.post(f"{url}/link", headers=bearer(SHOP)).status_code == 200


def test_there_is_no_link_to_what_is_not_there(shop: FlaskClient) -> None:
    cancelled = completed(shop, "shop", end=End("cancelled", 1.0))
    assert shop.post(f"{cancelled}/link", headers=bearer(SHOP)).status_code == 409
    without = completed(shop, "shop", end=End("completed", 1.0, Audio("audio-1.mp3", "audio/mpeg", 5, 1.0, 1)))
    assert links(shop, without)["subtitles"] is None


@pytest.mark.parametrize(
    "fields, param",
    [({"expires_in": 0}, "expires_in"), ({"expires_in": 86_401}, "expires_in"), ({"redirect": "no"}, "redirect")],
)
def test_requests_that_are_refused(shop: FlaskClient, fields: dict[str, Any], param: str) -> None:
    refused = shop.post(f"{completed(shop, 'shop')}/link", json=fields, headers=bearer(SHOP))
    assert refused.json
    assert (refused.status_code, refused.json["error"]["param"]) == (400, param)


def test_a_server_without_keys_signs_nothing(engine: FakeEngine, tmp_path: Path) -> None:
    client = served(engine, tmp_path)
    url = completed(client, "anonymous")
    assert links(client, url) == {"audio": f"{url}/audio", "subtitles": f"{url}/subtitles", "expires_at": None}
    assert links(client, url, redirect=False)["audio"] == f"{url}/audio?redirect=false"


@pytest.mark.parametrize(
    "title, name",
    [("山水: 上/下", "山水 上 下.mp3"), ("..\\a\r\nb: c", "a b c.mp3"), ("", None), (" ./ ", None)],
)
def test_the_title_names_the_file(shop: FlaskClient, title: str, name: str | None) -> None:
    url = completed(shop, "shop", title)
    response = shop.get(links(shop, url)["audio"])
    assert response.headers["Content-Disposition"].isascii()
    disposition, options = parse_options_header(response.headers["Content-Disposition"])
    expected = name or f"{url.rpartition('/')[2]}.mp3"
    assert (disposition, " ".join(options["filename"].split())) == ("attachment", expected)
