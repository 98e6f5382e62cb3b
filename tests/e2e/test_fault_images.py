"""The faulty images run as the operator runs the server, and the load tells which version answered."""

from __future__ import annotations

import pytest

from tests.e2e.client import Answer, speech
from tests.e2e.faults import images
from tests.e2e.faults.faulty import FAULTS, GOOD
from tests.e2e.load import loading
from tests.e2e.place import Place, until

pytestmark = pytest.mark.timeout(300, func_only=True)


def test_every_image_is_there_and_the_good_one_is_told_by_its_name(place: Place) -> None:
    made = images.ensure(place.product, *FAULTS, *GOOD)
    assert len({each["tag"] for each in made.values()}) == len(FAULTS) + len(GOOD)
    place.apply("other", replicas=1, image=made["b"])
    place.serving("other")
    address = place.get("service", "other")["spec"]["clusterIP"]
    with loading([f"http://{address}"], rate=20, begun=60) as load:
        pass
    assert load.tally is not None
    assert load.tally.failures == (), load.tally.told()
    assert set(load.tally.versions) == {"b"}


def test_what_crashes_says_why(place: Place) -> None:
    place.apply("crashing", replicas=1, image=images.ensure(place.product, "crash")["crash"])
    until(
        "the crash is told",
        lambda: "the image 'crash'" in place.status("crashing").get("lastFailure", {}).get("message", ""),
        60,
        otherwise=lambda: place.status("crashing"),
    )
    place.kubectl("delete", "tts", "crashing")


def test_a_faulty_one_serves_its_fault(place: Place) -> None:
    place.apply("silent", replicas=1, image=images.ensure(place.product, "silence")["silence"])
    place.serving("silent")
    answer: Answer = place.client.send(speech(place.url("silent"), "您好"))[0]
    assert answer.status == 200
    assert not any(answer.body[44:])
    place.kubectl("delete", "tts", "silent", "other")
