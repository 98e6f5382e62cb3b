"""`kubectl tts voices` and `phonemes`: what a service offers, and how it reads a text."""

from __future__ import annotations

import json

from tts_operator.cli import output as printing
from tts_operator.cli.kubectl import Kubectl
from tts_operator.cli.output import Cell
from tts_operator.cli.refused import UnreachableError
from tts_operator.cli.server.connect import key_of, server_of
from tts_operator.cli.speech.request import hint, text_of
from tts_operator.cli.wording import Typed
from tts_operator.json_object import Json
from tts_operator.printable import one_line

SHOWN_MAX = 200
USUAL = {"source": "text", "reading": "character"}
"""What needs no explanation."""


def voices(kubectl: Kubectl, name: str, output: str | None) -> int:
    """Print the voices. Servers list them without a key."""
    typed = Typed(name=name, flags=kubectl.flags)
    with server_of(kubectl, kubectl.service(name), "", lambda error: hint(error, typed)) as api:
        body = api.call("GET", "/v1/audio/voices")
    if output:
        printing.document(body, output)
        return 0
    try:
        rows = [_voice(each) for each in body["voices"]]
    except (KeyError, TypeError):
        raise UnreachableError("the server's answer is not a list of voices; is it a TTS server?") from None
    printing.table(("VOICE", "NAME", "LANGUAGE", "EMOTIONS"), rows)
    return 0


def _voice(body: Json) -> tuple[Cell, ...]:
    mark = " (default)" if body.get("default") else ""
    emotions = one_line(", ".join(body.get("emotions") or []) or "-", SHOWN_MAX)
    names = [one_line(body.get(each, ""), SHOWN_MAX) or "-" for each in ("name", "language")]
    return (f"{one_line(body['id'], SHOWN_MAX)}{mark}", "green" if mark else ""), *names, emotions


def phonemes(
    kubectl: Kubectl, name: str, text: str, *, voice: str | None, key_name: str | None, output: str | None
) -> int:
    """Print how a text is read."""
    typed = Typed(name=name, flags=kubectl.flags)
    request = {"input": text_of(text), **({"voice": voice} if voice else {})}
    service = kubectl.service(name)
    key = key_of(kubectl, service, key_name)
    with server_of(kubectl, service, key, lambda error: hint(error, typed)) as api:
        body = api.call("POST", "/v1/audio/phonemes", json.dumps(request).encode(), Content_Type="application/json")
    if output:
        printing.document(body, output)
        return 0
    try:
        _show(body)
    except (KeyError, TypeError):
        raise UnreachableError(
            "the server's answer is not a reading; check that plugin and server are of one version"
        ) from None
    return 0


def _show(body: Json) -> None:
    print(f"Spoken: {one_line(body['normalized'], 10 * SHOWN_MAX)}")
    for each in body["rules"]:
        written, spoken = one_line(each["written"], SHOWN_MAX), one_line(each["spoken"], SHOWN_MAX)
        print(f"  {written} -> {spoken} ({one_line(', '.join(each['rules']), SHOWN_MAX)})")
    print()
    rows = [
        _syllable(each)
        for sentence in body["sentences"]
        for clause in sentence["clauses"] or ()
        for each in clause["syllables"]
    ]
    if rows:
        printing.table(("TEXT", "PINYIN", "PHONEMES", "BECAUSE OF"), rows)
    else:
        print(f"The engine {one_line(body['engine'], SHOWN_MAX)} does not tell its readings.")


def _syllable(body: Json) -> tuple[Cell, ...]:
    why = [str(body[name]) for name, usual in USUAL.items() if body[name] != usual]
    shown = [one_line(body["text"], SHOWN_MAX) or "-", one_line(body["pinyin"], SHOWN_MAX)]
    sounds = one_line(" ".join(body["phonemes"]), SHOWN_MAX)
    return *shown, sounds, (one_line(", ".join(why), SHOWN_MAX), "yellow")
