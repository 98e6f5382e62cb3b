"""What the pods of a service are asked to say, and what their live traffic says of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from tests.unit.operator.reconcile.analysis.counters import answers
from tests.unit.operator.worlds import KEYRING, NAME, NAMESPACE, service
from tts_operator.api import TTSService
from tts_operator.api.rollout import PrometheusQuery
from tts_operator.desired.pod.probe import Admits
from tts_operator.json_object import Json
from tts_operator.keyring import Keyring
from tts_operator.reconcile.analysis import runner
from tts_operator.reconcile.analysis.model import NO_RESULT, AnalysisRequest, AnalysisResult, PodEndpoint
from tts_operator.reconcile.analysis.runner import (
    CHECKS_AT_ONCE,
    LATE_CHECKS,
    AnalysisRunner,
    metric_check,
    speech_plan,
    traffic_problem,
)
from tts_operator.speech.check import CheckResult, PodResult, SpeechPlan, Target
from tts_operator.speech.client import Problem
from tts_operator.speech.live import Counters, Traffic
from tts_operator.speech.prometheus import MetricResult

KEY = NAMESPACE, NAME
NOTHING_KNOWN = Admits()
POD = PodEndpoint("http://10.0.0.1:7860", "uid")


def asked(**speech_check: object) -> Json:
    return {"rollout": {"speechCheck": speech_check}}


@pytest.mark.parametrize("language", ["zh-cn", "en-us", "zh-CN"])
def test_texts_are_in_the_language_of_the_revision(language: str) -> None:
    plan = speech_plan(
        service(), AnalysisRequest(subject="s", pods={"new": POD}, checks_speech=True, language=language), KEYRING
    )
    assert plan.language == language
    assert ("。" in "".join(plan.texts)) is language.lower().startswith("zh")


@pytest.mark.parametrize(
    "texts, longest, said",
    [
        (["您好", "您好，欢迎使用语音合成服务。"], 500, ("您好", "您好，欢迎使用语音合成服务。")),
        (["您好", "您好，欢迎使用语音合成服务。"], 5, ("您好",)),
        (["您好，欢迎使用语音合成服务。"], 5, ("您好，欢迎",)),
        ([], 14, ("您好，欢迎使用语音合成服务。",)),
    ],
    ids=["all fit", "one is too long", "none fits", "of the defaults"],
)
def test_texts_that_the_revision_does_not_take_are_left_out(
    texts: list[str], longest: int, said: tuple[str, ...]
) -> None:
    analysis_request = AnalysisRequest(subject="s", pods={"new": POD}, checks_speech=True, max_characters=longest)
    assert speech_plan(service(asked(texts=texts)), analysis_request, KEYRING).texts == said


def test_own_texts_and_limits() -> None:
    analysis_request = AnalysisRequest(subject="s", pods={"new": POD}, stable={"old": POD}, checks_speech=True)
    plan = speech_plan(service(asked(texts=["您好"], timeoutSeconds=3)), analysis_request, KEYRING)
    assert (plan.texts, plan.max_seconds, plan.stable) == (("您好",), 3.0, None)
    compared = speech_plan(service(asked(compareWithStable=True)), analysis_request, KEYRING)
    assert compared.stable is not None
    assert compared.stable.name == "old"


@pytest.mark.parametrize(
    "new, reason",
    [
        (Traffic(requests=100, errors=0, buckets=((1.0, 100.0), (float("inf"), 100.0))), None),
        (Traffic(requests=19, errors=19, buckets=((float("inf"), 19.0),)), None),
        (Traffic(requests=100, errors=10, buckets=((1.0, 100.0), (float("inf"), 100.0))), "ErrorRate"),
        (Traffic(requests=100, buckets=((3.0, 0.0), (5.0, 100.0), (float("inf"), 100.0))), "SlowAnswers"),
        (Traffic(requests=1503, buckets=((3.0, 0.0), (5.0, 1503.0), (float("inf"), 1503.0))), "SlowAnswers"),
        (Traffic(requests=100, busy=60, buckets=((1.0, 100.0), (float("inf"), 100.0))), "Overloaded"),
    ],
    ids=["good", "too few to tell", "errors", "slow", "slow, and 1503 of them", "refuses"],
)
def test_live_traffic(new: Traffic, reason: str | None) -> None:
    rollback_reason = traffic_problem(service(), new, Traffic(), None)
    assert (rollback_reason and rollback_reason.reason) == reason


@pytest.mark.parametrize("zero", [0, "0"])
def test_nothing_at_all_is_a_bound_too(zero: int | str) -> None:
    check = metric_check(PrometheusQuery(name="errors", query="sum(errors)", max=zero))
    assert (check.max, check.min) == (0.0, None)


# What goes on while the world changes.

CHECK_SECONDS = 10.0


@dataclass
class Servers:
    """The pods, as far as they can be asked: they speak well, and answer one request a second."""

    errors: float = 0.0
    """Share of the requests that fail."""
    checks: list[list[str]] = field(default_factory=list)
    """The pods of each check that has begun."""
    plans: list[SpeechPlan] = field(default_factory=list)
    ended: int = 0
    unauthorized: bool = False
    """Whether they take no key."""

    async def check(self, _: object, targets: Sequence[Target], plan: SpeechPlan) -> CheckResult:
        self.checks.append([target.name for target in targets])
        self.plans.append(plan)
        await asyncio.sleep(CHECK_SECONDS)
        self.ended += 1
        if self.unauthorized:
            pods = tuple(PodResult(target.name, (), 1, 1, ("401",), unauthorized=True) for target in targets)
            return CheckResult(passed=False, summary="It answers 401.", pods=pods)
        return CheckResult(passed=True, summary="all speak", pods=())

    async def scrape(self, _: object, url: str) -> Counters:
        del url
        total = asyncio.get_running_loop().time()
        wrong = total * self.errors
        return Counters({("/api/tts", "200"): total - wrong, ("/api/tts", "500"): wrong})


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, clock: object) -> Servers:
    del clock
    found = Servers()
    monkeypatch.setattr(runner, "check", found.check)
    monkeypatch.setattr(runner, "scrape", found.scrape)
    return found


@pytest.fixture
async def examining(servers: Servers) -> AsyncIterator[AnalysisRunner]:
    del servers
    async with AnalysisRunner(lambda _: None, KEYRING) as made:
        yield made


def about(
    *names: str, checks_speech: bool = True, ready: bool = True, subject: str = "s", admits: Admits = NOTHING_KNOWN
) -> AnalysisRequest:
    pods = {name: PodEndpoint(f"http://{name}:7860", f"uid-{name}", admits) for name in names}
    present = frozenset(pod.uid for pod in pods.values())
    return AnalysisRequest(subject=subject, pods=pods, checks_speech=checks_speech, ready=ready, present=present)


async def test_a_check_begins_once_all_pods_are_ready(examining: AnalysisRunner, servers: Servers) -> None:
    examining.request(service(), about("a", "b", ready=False))
    await asyncio.sleep(CHECK_SECONDS)
    assert not servers.checks
    examining.request(service(), about("a", "b"))
    await asyncio.sleep(CHECK_SECONDS + 1)
    assert servers.checks == [["a", "b"]]
    assert examining.result(KEY) == AnalysisResult(subject="s", asked=frozenset({"uid-a", "uid-b"}), passed="all speak")


async def test_a_check_goes_on_where_a_pod_is_no_longer_ready(examining: AnalysisRunner, servers: Servers) -> None:
    examining.request(service(), about("a", "b"))
    await asyncio.sleep(1)
    examining.request(service(), about("a", "b", ready=False))
    await asyncio.sleep(1)
    examining.request(service(), about("a", "b"))
    await asyncio.sleep(CHECK_SECONDS)
    assert len(servers.checks) == servers.ended == 1
    assert examining.result(KEY).passed


@pytest.mark.parametrize("after", [1.0, CHECK_SECONDS + 1], ids=["during the check", "after it"])
async def test_pods_that_take_the_place_of_others_speak_too(
    examining: AnalysisRunner, servers: Servers, after: float
) -> None:
    examining.request(service(), about("a", "b"))
    await asyncio.sleep(after)
    examining.request(service(), about("b", ready=False))
    assert examining.result(KEY) == NO_RESULT
    await asyncio.sleep(CHECK_SECONDS * 2)
    examining.request(service(), about("b", "c", ready=False))
    await asyncio.sleep(1)
    assert len(servers.checks) == 1
    examining.request(service(), about("b", "c"))
    await asyncio.sleep(CHECK_SECONDS + 1)
    assert servers.checks == [["a", "b"], ["b", "c"]]
    assert examining.result(KEY).asked == {"uid-b", "uid-c"}


async def test_a_check_with_other_texts_begins_anew(examining: AnalysisRunner, servers: Servers) -> None:
    examining.request(service(asked(timeoutSeconds=3)), about("a"))
    await asyncio.sleep(1)
    for _ in range(3):
        examining.request(service(asked(timeoutSeconds=60)), about("a"))
        await asyncio.sleep(1)
    assert [plan.max_seconds for plan in servers.plans] == [3.0, 60.0]


@pytest.mark.parametrize("rate, found", [("10%", ""), ("1%", "ErrorRate"), ("4.9%", "ErrorRate")])
async def test_the_limits_that_count_are_those_of_the_spec_of_now(
    examining: AnalysisRunner, servers: Servers, rate: str, found: str
) -> None:
    servers.errors = 0.05
    limits: Json = {"rollout": {"analysis": {"maxErrorRate": "6%"}}}
    examining.request(service(limits), about("a", checks_speech=False))
    await asyncio.sleep(60)
    assert examining.result(KEY) == NO_RESULT
    limits["rollout"]["analysis"]["maxErrorRate"] = rate
    examining.request(service(limits), about("a", checks_speech=False))
    await asyncio.sleep(5)
    rollback_reason = examining.result(KEY).rollback_reason
    assert (rollback_reason.reason if rollback_reason else "") == found


@pytest.mark.parametrize("before, found", [(8.0, ""), (1.0, "SlowAnswers")], ids=["as ever", "slower"])
async def test_long_texts_take_long_with_any_version(
    examining: AnalysisRunner, monkeypatch: pytest.MonkeyPatch, before: float, found: str
) -> None:
    async def scrape(_: object, url: str) -> Counters:
        return answers(100, seconds=before) if "old" in url else answers(asyncio.get_running_loop().time(), seconds=8)

    monkeypatch.setattr(runner, "scrape", scrape)
    old = about("old").pods
    examining.request(service(), replace(about("a", checks_speech=False), stable=old))
    await asyncio.sleep(10)
    examining.request(service(), about("a", checks_speech=False))  # the last of the old ones is gone
    await asyncio.sleep(60)
    rollback_reason = examining.result(KEY).rollback_reason
    assert (rollback_reason.reason if rollback_reason else "") == found


async def test_figures_that_are_asked_for_later_are_asked_for(
    examining: AnalysisRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def exceeds(*_: object) -> MetricResult:
        return MetricResult(ok=False, message="5 is above 1")

    monkeypatch.setattr(runner, "ask", exceeds)
    examining.request(service(), about("a", checks_speech=False))
    await asyncio.sleep(30)
    assert examining.result(KEY) == NO_RESULT
    prometheus = {"url": "http://prometheus", "queries": [{"name": "refused", "query": "up", "max": 1}]}
    examining.request(service({"rollout": {"analysis": {"prometheus": prometheus}}}), about("a", checks_speech=False))
    await asyncio.sleep(15)
    rollback_reason = examining.result(KEY).rollback_reason
    assert rollback_reason is not None
    assert rollback_reason.message == "refused: 5 is above 1"


OURS, ANOTHERS = Admits(public_key=KEYRING.public_key), Admits(public_key=Keyring(b"2" * 32).public_key)


async def test_pods_that_know_another_operator_are_not_asked_and_the_cure_is_told(
    examining: AnalysisRunner, servers: Servers
) -> None:
    examining.request(service(), about("a", admits=ANOTHERS))
    await asyncio.sleep(1)
    rollback_reason = examining.result(KEY).rollback_reason
    assert rollback_reason is not None
    assert rollback_reason.reason == "SpeechCheckFailed"
    assert "trust another operator key" in rollback_reason.message
    assert "tts-operator.io/refresh" in rollback_reason.message
    assert not servers.checks


@pytest.mark.parametrize(
    "known, said", [(ANOTHERS, "all speak Not compared"), (OURS, "all speak"), (Admits(uid=True), "all speak")]
)
async def test_a_stable_revision_that_knows_another_operator_is_not_compared(
    examining: AnalysisRunner, servers: Servers, known: Admits, said: str
) -> None:
    old = about("old", admits=known).pods
    examining.request(service(asked(compareWithStable=True)), replace(about("a", admits=OURS), stable=old))
    await asyncio.sleep(CHECK_SECONDS + 1)
    assert examining.result(KEY).passed.startswith(said)
    assert ("Not compared" in examining.result(KEY).passed) is (known is ANOTHERS)
    assert (servers.plans[0].stable is None) is (known is ANOTHERS)


@pytest.mark.parametrize(
    "known, cure",
    [
        (OURS, "too old to support TTS_PROBE_PUBLIC_KEY, or the clocks"),
        (Admits(uid=True), "too old to support TTS_PROBE_KEY"),
        (Admits(), "set the keys with server.auth"),
    ],
)
async def test_a_401_is_told_with_its_cause_and_cure(
    examining: AnalysisRunner, servers: Servers, known: Admits, cure: str
) -> None:
    servers.unauthorized = True
    examining.request(service(), about("a", admits=known))
    await asyncio.sleep(CHECK_SECONDS + 1)
    rollback_reason = examining.result(KEY).rollback_reason
    assert rollback_reason is not None
    assert rollback_reason.message.startswith("It answers 401. ")
    assert cure in rollback_reason.message
    assert "rollout.speechCheck.enabled: false" in rollback_reason.message


class Pods:
    """The pods of many services, of which those of hostile ones never answer."""

    def __init__(self) -> None:
        self.asked = self.now = self.most = 0

    async def check(self, _: object, targets: Sequence[Target], plan: SpeechPlan) -> CheckResult:
        del plan
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(4 if targets[0].name == "honest" else 5000)
        finally:
            self.now -= 1
        return CheckResult(passed=True, summary="all speak", pods=())

    async def scrape(self, _: object, url: str) -> Counters | Problem:
        self.asked += "honest" in url
        await asyncio.sleep(0.01 if "honest" in url else 5)
        return Counters({("/api/tts", "200"): float(self.asked)})


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch, clock: object) -> Pods:
    del clock
    found = Pods()
    monkeypatch.setattr(runner, "check", found.check)
    monkeypatch.setattr(runner, "scrape", found.scrape)
    return found


def one_of_many(number: int, namespace: str) -> TTSService:
    return service(name=f"narrator-{number}", namespace=namespace)


async def test_a_hundred_services_that_hang_keep_no_other_namespace_waiting(pods: Pods) -> None:
    async with AnalysisRunner(lambda _: None, KEYRING) as examining:
        for number in range(100):
            examining.request(one_of_many(number, "hostile"), about(f"hostile-{number}"))
        await asyncio.sleep(100)
        examining.request(one_of_many(0, "other"), about("honest"))
        await asyncio.sleep(5)
        assert examining.result(("other", "narrator-0")).passed
        assert pods.most <= CHECKS_AT_ONCE + LATE_CHECKS


async def test_a_thousand_pods_that_hang_keep_no_other_namespaces_figures_waiting(pods: Pods) -> None:
    async with AnalysisRunner(lambda _: None, KEYRING) as examining:
        for number in range(100):
            names = [f"hostile-{number}-{pod}" for pod in range(10)]
            examining.request(one_of_many(number, "hostile"), about(*names, checks_speech=False))
        await asyncio.sleep(10)
        examining.request(one_of_many(0, "other"), about("honest", checks_speech=False))
        await asyncio.sleep(60)
        assert pods.asked == pytest.approx(60 / 2, abs=1)
