"""The faulty images run as the operator runs the server, and the load tells which version answered."""

from __future__ import annotations

import pytest

from tests.e2e.client import Answer, send_from_outside, speech
from tests.e2e.faults import images
from tests.e2e.faults.faulty import FAULTS, GOOD
from tests.e2e.load import loading
from tests.e2e.namespace import Namespace, until

pytestmark = pytest.mark.timeout(300, func_only=True)


def test_every_image_is_there_and_the_good_one_is_told_by_its_name(ns: Namespace) -> None:
    made = images.ensure(ns.product, *FAULTS, *GOOD)
    assert len({each["tag"] for each in made.values()}) == len(FAULTS) + len(GOOD)
    ns.apply("other", replicas=1, image=made["b"])
    ns.wait_until_serving("other")
    address = ns.get("service", "other")["spec"]["clusterIP"]
    url = f"http://{address}"
    until("it can be reached from here too", lambda: send_from_outside(speech(url, "您好")).status == 200, 60)
    with loading([url], rate=20, begun=60) as load:
        pass
    assert load.result is not None
    assert load.result.failures == (), load.result.summary()
    assert set(load.result.versions) == {"b"}


def test_what_crashes_says_why(ns: Namespace) -> None:
    ns.apply("crashing", replicas=1, image=images.ensure(ns.product, "crash")["crash"])
    until(
        "the crash is told",
        lambda: "the image 'crash'" in ns.status("crashing").get("lastFailure", {}).get("message", ""),
        120,
        otherwise=lambda: ns.status("crashing"),
    )
    ns.kubectl("delete", "tts", "crashing")


def test_a_faulty_one_serves_its_fault(ns: Namespace) -> None:
    ns.apply("silent", replicas=1, image=images.ensure(ns.product, "silence")["silence"])
    ns.wait_until_serving("silent")
    answer: Answer = ns.client.send(speech(ns.url("silent"), "您好"))[0]
    assert answer.status == 200
    assert not any(answer.body[44:])
    ns.kubectl("delete", "tts", "silent", "other")
