from pathlib import Path

import orjson
import pytest

from bench.cluster.audit import AuditLog
from bench.cluster.namespace import BenchError

OPERATOR = "tts-operator-test"


def _line(verb: str, resource: str, user: str = OPERATOR) -> bytes:
    return orjson.dumps({"verb": verb, "user": {"username": user}, "objectRef": {"resource": resource}}) + b"\n"


def test_requests_are_counted_by_verb_from_a_mark_on(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    log.path.write_bytes(_line("patch", "services"))
    position = log.position()
    with log.path.open("ab") as out:
        out.write(_line("patch", "services") + _line("get", "serviceaccounts") + _line("create", "events"))
        out.write(_line("watch", "pods") + _line("update", "leases") + _line("patch", "services", "somebody"))
        out.write(_line("delete", "services")[:20])  # still being written
    found = log.since(position)
    assert found.verbs == {"patch": 1, "get": 1, "create": 1}
    assert (found.reads, found.writes, found.watches, found.lease) == (1, 2, 1, 1)
    assert str(found).startswith("1 patch, 1 get, 1 create (first: services, events);")


def test_a_count_goes_on_through_a_rotation(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    log.path.write_bytes(_line("get", "pods"))
    position = log.position()
    with log.path.open("ab") as out:
        out.write(_line("patch", "services"))
    log.path.rename(tmp_path / "audit-2026-01-01T00-00-00.000.log")
    log.path.write_bytes(_line("delete", "services"))
    assert log.since(position).verbs == {"patch": 1, "delete": 1}


def test_a_log_that_is_lost_is_an_error(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.log")
    with pytest.raises(BenchError, match="does not exist"):
        log.position()
    log.path.write_bytes(b"")
    position = log.position()
    log.path.rename(tmp_path / "elsewhere")
    log.path.write_bytes(b"")
    with pytest.raises(BenchError, match="rotated out"):
        log.since(position)
