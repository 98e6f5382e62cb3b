"""What is to be found out about pods on trial, and what speaks against them."""

from dataclasses import replace
from typing import Any, cast

import pytest

from tests.unit.operator.worlds import DEFAULTS, EARLIER, NAME, NOW, condition, container, counts, pod, service
from tts_operator.desired.revision import Revision, wanted_revision
from tts_operator.json_object import Json
from tts_operator.objects import Deployment, DeploymentStatus, Pod
from tts_operator.reconcile.analysis.model import NO_RESULT, AnalysisResult
from tts_operator.reconcile.observed.snapshot import Observed
from tts_operator.reconcile.rollout.analysis_request import analysis_request, still_counts
from tts_operator.reconcile.rollout.context import RolloutContext
from tts_operator.reconcile.rollout.rollback_reasons import stuck
from tts_operator.reconcile.rollout.state import Phase, RolloutState

LONG_AGO, JUST_NOW = EARLIER, "2026-01-01T23:59:30Z"
CHECKING = RolloutState(revision="r", phase=Phase.CHECKING, started=EARLIER, since=EARLIER)
COMPLETE = condition("Progressing", "True", reason="NewReplicaSetAvailable", lastUpdateTime=LONG_AGO)
HUB = "damo/speech_sambert-hifigan_tts_{}_16k"
REFUSED = "exceeded quota"


def revision(**spec: Any) -> Revision:
    return wanted_revision(service(spec), DEFAULTS.image, ())


def situation(*pods: Pod, update_revision: Revision | None = None, **spec: Any) -> RolloutContext:
    stable = revision()
    return RolloutContext(
        service=service(spec),
        observed=Observed(pods=pods),
        spec_revision=stable,
        update_revision=update_revision or stable,
        stable=stable,
        analysis_result=NO_RESULT,
        started=EARLIER,
        now=NOW,
    )


def deployment(*conditions: Json, wanted: int = 2, **status: Any) -> Deployment:
    return {
        "metadata": {"name": NAME, "generation": 1},
        "spec": {"replicas": wanted, "progressDeadlineSeconds": 600},
        "status": cast("DeploymentStatus", counts(wanted=wanted, conditions=conditions, **status)),
    }


def unready(since: str, *containers: Json) -> Pod:
    found = pod("one", containers=containers)
    found["status"]["conditions"][0]["lastTransitionTime"] = since
    return found


CRASHED = container(last={"terminated": {"exitCode": 137, "reason": "OOMKilled"}})


@pytest.mark.parametrize(
    "live, pods, said",
    [
        (deployment(COMPLETE), [], None),
        (deployment(COMPLETE, availableReplicas=1), [unready(LONG_AGO)], "(600 s): pod one is not ready"),
        (deployment(COMPLETE, availableReplicas=1), [unready(LONG_AGO, CRASHED)], "pod one: OOMKilled (exit code 137)"),
        (deployment(COMPLETE, availableReplicas=1), [unready(JUST_NOW)], None),
        (deployment(COMPLETE, availableReplicas=1), [pod("two", ready=True)], None),
        (deployment(COMPLETE, availableReplicas=1), [pod("evicted", phase="Failed")], None),
        (deployment(condition("Progressing", "True"), availableReplicas=1), [unready(LONG_AGO)], None),
        (
            deployment(
                COMPLETE,
                condition("ReplicaFailure", "True", lastTransitionTime=LONG_AGO, message=REFUSED),
                replicas=1,
            ),
            [],
            f"pods cannot be created: {REFUSED}",
        ),
        (
            deployment(
                COMPLETE,
                condition("ReplicaFailure", "True", lastTransitionTime=JUST_NOW, message=REFUSED),
                replicas=1,
            ),
            [],
            None,
        ),
        (None, [], None),
    ],
    ids=[
        "complete",
        "unready for long",
        "with its failure",
        "unready for a moment",
        "the others are ready",
        "evicted, and replaced",
        "its controller counts the time",
        "refused for long",
        "refused for a moment",
        "no Deployment",
    ],
)
def test_pods_that_are_no_longer_ready(live: Deployment | None, pods: list[Pod], said: str | None) -> None:
    found = stuck(live, pods, NOW)
    if said is None:
        assert found is None
    else:
        assert found is not None
        assert found.reason == "ProgressDeadlineExceeded"
        assert said in found.message


@pytest.mark.parametrize(
    "asked, subject, counts_still",
    [
        ({"here", "there"}, CHECKING.subject, True),
        (set(), CHECKING.subject, True),
        ({"here"}, "another", False),
        ({"here", "gone"}, CHECKING.subject, False),
        ({"drained"}, CHECKING.subject, False),
        ({"evicted"}, CHECKING.subject, False),
    ],
)
def test_what_counts_still(asked: set[str], subject: str, counts_still: bool) -> None:
    pods = [pod("here"), pod("there"), pod("drained", deleted=True), pod("evicted", phase="Failed")]
    analysis_result = AnalysisResult(subject=subject, asked=frozenset(asked))
    assert still_counts(analysis_result, CHECKING, Observed(pods=pods)) is counts_still


@pytest.mark.parametrize(
    "pods, ready, present",
    [
        ([], False, set()),
        ([pod("a", ready=True)], True, {"a"}),
        ([pod("a", ready=True), pod("b")], False, {"a", "b"}),
        ([pod("a", ready=True), pod("b", phase="Failed")], True, {"a"}),
    ],
    ids=["none yet", "ready", "one is not", "an evicted one lies about"],
)
def test_when_a_check_may_begin(pods: list[Pod], ready: bool, present: set[str]) -> None:
    found = analysis_request(situation(), CHECKING, pods)
    assert found is not None
    assert found.checks_speech
    assert (found.ready, set(found.present)) == (ready, present)


@pytest.mark.parametrize("phase, serves", [(Phase.CHECKING, False), (Phase.CHECKING_IN_PLACE, True)])
def test_pods_in_the_place_of_old_ones_serve_clients(phase: Phase, serves: bool) -> None:
    found = analysis_request(situation(), replace(CHECKING, phase=phase), [pod("a", ready=True)])
    assert found is not None
    assert found.in_place is serves


@pytest.mark.parametrize(
    "name, language",
    [
        (HUB.format("zhitian_emo_zh-cn"), "zh-cn"),
        (HUB.format("en-us"), "en-us"),
        ("mine/model", "zh-CN"),
        ("", "zh-CN"),
    ],
)
def test_the_language_is_that_of_the_model(name: str, language: str) -> None:
    model = {"model": {"engine": "modelscope", "name": name, "revision": "v1"}} if name else {}
    found = analysis_request(situation(update_revision=revision(**model)), CHECKING, [pod("a", ready=True)])
    assert found is not None
    assert found.language == language


def test_an_older_revision_is_asked_for_what_it_was_made_for() -> None:
    older = revision(
        model={"engine": "modelscope", "name": HUB.format("en-us"), "revision": "v1"},
        server={"maxInputCharacters": 20},
    )
    found = analysis_request(
        situation(update_revision=older, server={"maxInputCharacters": 300}), CHECKING, [pod("a", ready=True)]
    )
    assert found is not None
    assert (found.language, found.max_characters) == ("en-us", 20)


def test_nobody_is_made_to_speak_where_the_check_is_off() -> None:
    off = {"speechCheck": {"enabled": False}}
    assert analysis_request(situation(rollout=off), CHECKING, [pod("a", ready=True)]) is None
