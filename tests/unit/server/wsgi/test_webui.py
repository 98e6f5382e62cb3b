"""The page's files fit together, and nothing in them comes from elsewhere. What they do is tested in a browser."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import tts_server.webui
from tests.unit.server.conftest import FakeEngine
from tts_server.engines.fastspeech2.engine import FastSpeech2
from tts_server.process.lifecycle import Lifecycle
from tts_server.settings import Settings
from tts_server.webui import VERSION
from tts_server.wsgi.app import create_app

FOLDER = Path(tts_server.webui.__file__).parent
STATIC = {path.name: path.read_text() for path in (FOLDER / "static").iterdir()}
PAGES = ("/", "/jobs")
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


def words(language: str) -> set[str]:
    _, begin, rest = STATIC["words.js"].partition(f"const {language} = {{")
    assert begin
    return set(re.findall(r"^  (\w+):", rest.partition("\n};")[0], re.MULTILINE))


def test_the_page_knows_the_server(client: FlaskClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert 'data-limit="20"' in response.text
    assert 'data-rate="8000"' in response.text
    assert 'data-model="fake"' in response.text
    assert '<option value="one" selected>' in response.text
    assert '<option value="wav" selected>' in response.text


@pytest.fixture
def with_jobs(engine: FakeEngine, tmp_path: Path) -> FlaskClient:
    """A client of a server that takes jobs."""
    settings = Settings(threads=1, jobs_storage=str(tmp_path))
    return create_app(settings, lifecycle=Lifecycle(), engine=engine).test_client()


def test_long_texts_have_a_page_where_the_server_takes_jobs(client: FlaskClient, with_jobs: FlaskClient) -> None:
    assert 'href="jobs"' in with_jobs.get("/").text
    page = with_jobs.get("/jobs").text
    assert '<option value="one" selected>' in page
    assert '<option value="mp3" selected>' in page
    assert 'href="jobs"' not in client.get("/").text
    assert client.get("/jobs").status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_nothing_from_elsewhere(with_jobs: FlaskClient, path: str) -> None:
    page = with_jobs.get(path)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for text in (page.text, *STATIC.values()):
        assert not re.search(r"https?://", text.replace(SVG_NAMESPACE, ""))
    assert not re.search(r" (style|on\w+)=", page.text)


def test_all_files_that_are_named_are_there(with_jobs: FlaskClient) -> None:
    client = with_jobs
    named = {name for path in PAGES for name in re.findall(rf'"static/{VERSION}/([^"]+)"', client.get(path).text)}
    named |= {name for text in STATIC.values() for name in re.findall(r'from "\./([^"]+)"', text)}
    assert named == set(STATIC)
    for name in named:
        with client.get(f"/static/{VERSION}/{name}") as found:
            assert found.status_code == 200
            assert ("javascript" in str(found.mimetype)) == name.endswith(".js")


def test_a_file_of_a_version_may_be_kept_for_good_and_the_page_may_not(client: FlaskClient) -> None:
    assert client.get("/").headers["Cache-Control"] == "no-cache"
    with client.get(f"/static/{VERSION}/main.js") as found:
        assert found.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    with client.get("/static/main.js") as found:
        assert found.headers["Cache-Control"] == "no-cache"


def test_a_page_of_another_version_gets_none_of_our_files(client: FlaskClient) -> None:
    with client.get("/static/0123456789abcdef/main.js") as found:
        assert found.status_code == 404
        assert "max-age" not in found.headers.get("Cache-Control", "")


def test_text_never_becomes_html() -> None:
    for text in STATIC.values():
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


def test_both_languages_have_the_same_words() -> None:
    assert words("en") == {word for word in words("zh") if not word.startswith("error_")}


def scripts_of(page: str) -> set[str]:
    """The modules that a page loads."""
    found: set[str] = set()
    new = set(re.findall(r'/(\w+\.js)" type="module"', page))
    while new:
        found |= new
        new = {name for each in new for name in re.findall(r'from "\./([^"]+)"', STATIC[each])} - found
    return found


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_small(with_jobs: FlaskClient, path: str) -> None:
    page = with_jobs.get(path).text
    files = scripts_of(page) | set(re.findall(rf'"static/{VERSION}/([^"]+)"', page))
    assert len(page.encode()) + sum(len(STATIC[name].encode()) for name in files) < 100_000


@pytest.mark.parametrize("path", PAGES)
def test_all_elements_that_are_sought_are_there(with_jobs: FlaskClient, path: str) -> None:
    page = with_jobs.get(path).text
    there = set(re.findall(r' id="([\w-]+)"', page))
    sought = {
        name for each in scripts_of(page) for name in re.findall(r'(?:find|getElementById)\("([\w-]+)"\)', STATIC[each])
    }
    assert sought - there == set()


def test_all_words_that_are_asked_for_are_there(with_jobs: FlaskClient) -> None:
    asked = {word for path in PAGES for word in re.findall(r'data-(?:words|title)="(\w+)"', with_jobs.get(path).text)}
    asked |= {name for text in STATIC.values() for name in re.findall(r'\bwords\("(\w+)"', text)}
    asked |= {f"emotion_{emotion}" for emotion in FastSpeech2().emotions}
    assert asked - words("en") == set()
