"""Judge whether a recording is speech of a text. It cannot tell which words: that would need speech recognition.

The limits have a margin on both sides: what the bundled engine speaks (all emotions, speeds from 0.25 to 4, texts of 1
to 50 syllables) passes every limit with room to spare, and every known fault fails one (tests/integration/speech).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tts_operator.printable import one_line
from tts_operator.speech.length import plausible_seconds, syllables
from tts_operator.speech.measure import Measures, measure
from tts_operator.speech.recording import MEDIA_TYPES, NotSpeechAudioError, Recording, parse

_SHOWN_TYPE = 60
_UNSPECIFIED_TYPES = frozenset({"", "application/octet-stream"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits for speech. Levels in dBFS, ratios from 0 to 1, times in seconds."""

    max_seconds: float = 10.0
    """From the request to the end of the response."""
    quietest: float = -40.0
    loudest: float = -8.0
    """The bundled engine speaks between -26 and -17."""
    max_clipped: float = 0.01
    """Speech: at most 0.002, and 0.008 for a hum (嗯); clipped by 12 dB: 0.02."""
    max_silent: float = 0.8
    """Speech: at most 0.6, for a single syllable."""
    min_variation: float = 1.5
    """dB. Speech: at least 4.5 for a sentence, 2.6 for three equal syllables; white noise 0.3, a tone 0.1."""
    steady_variation: float = 3.2
    steady_colour: float = 0.06
    """It is noise if both variation and colour are below these: red noise has 2 to 3 and 0.025 to 0.04."""
    min_colour: float = 0.004
    """Speech: at least 0.007, for a repeated vowel; a tone that swells and fades: 0.001."""
    hiss_crossings: float = 0.25
    hiss_colour: float = 0.05
    """It is noise if crossings are above the first and colour below the second, even if it swells and fades."""
    max_ending: float = -12.0
    """dB relative to the loudness: speech has faded at its end."""
    ending_syllables: float = 6.0
    """Shorter texts may end abruptly, as people clip single syllables too."""
    stable_length: float = 1.6
    """Maximum ratio to the stable version's length, longer or shorter."""
    stable_decibels: float = 9.0
    """Maximum difference from the stable version's loudness, in dB."""
    stable_slower: float = 3.0
    """Maximum ratio to the stable version's response time, ..."""
    stable_slower_by: float = 0.3
    """... if the difference also exceeds this many seconds, because short times vary."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The measures of a recording, and its problems, each a sentence without its full stop."""

    text: str
    seconds: float
    """From the request to the end of the response."""
    measures: Measures | None
    """None if there was no recording."""
    findings: tuple[str, ...]
    cached: bool = False
    """Whether the audio came from a cache, so that `seconds` says nothing about the model."""

    @property
    def passed(self) -> bool:
        """Whether no problem was found."""
        return not self.findings


def judge_answer(
    body: bytes | bytearray,
    content_type: str,
    text: str,
    seconds: float,
    limits: Limits,
    *,
    stable: Judged | None = None,
) -> Judged:
    """Judge a response with status 200. `content_type` is its header, `seconds` the time that it took."""
    kind = one_line(content_type.partition(";")[0], _SHOWN_TYPE).lower()
    try:
        recording = parse(body)
    except NotSpeechAudioError as error:
        said = "" if kind in MEDIA_TYPES else f", sent as {kind or 'nothing'}"
        return Judged(text, seconds, None, (f"{error}{said}",))
    judged = judge(recording, text, seconds, limits, stable=stable)
    if kind in MEDIA_TYPES | _UNSPECIFIED_TYPES:
        return judged
    wrong = f"the audio is sent as {kind}; it must be audio/wav"
    return Judged(text, seconds, judged.measures, (wrong, *judged.findings))


def judge(recording: Recording, text: str, seconds: float, limits: Limits, *, stable: Judged | None = None) -> Judged:
    """Judge a recording of the text at speed 1. `stable` is the stable version's recording of it."""
    found = measure(recording)
    # A silent recording, or one shorter than a frame, has no further measures.
    findings = list(_time(seconds, limits)) + list(_length(found, text))
    if found.silent == 1.0:
        findings.append(
            f"the audio is silent: no part of {found.seconds:.2f} s is louder than -50 dBFS (peak {found.peak:.4f})"
        )
    else:
        findings += [*_level(found, limits), *_liveliness(found, limits), *_ending(found, text, limits, stable)]
    if stable is not None:
        findings += compare(Judged(text, seconds, found, ()), stable, limits)
    return Judged(text, seconds, found, tuple(findings))


def compare(new: Judged, stable: Judged, limits: Limits) -> list[str]:
    """Find what differs too much from the stable version's recording of the text; nothing if that is not speech."""
    if new.measures is None or stable.measures is None or not stable.passed:
        return []
    findings = []
    here, there = new.measures, stable.measures
    if not there.seconds / limits.stable_length <= here.seconds <= there.seconds * limits.stable_length:
        findings.append(
            f"the audio lasts {here.seconds:.2f} s, and the stable version's {there.seconds:.2f} s;"
            f" at most {limits.stable_length:g} times longer or shorter is plausible"
        )
    if here.silent < 1.0 and abs(here.loudness - there.loudness) > limits.stable_decibels:
        findings.append(
            f"the loudness is {here.loudness:.1f} dBFS, the stable version's {there.loudness:.1f};"
            f" at most {limits.stable_decibels:g} dB apart is plausible"
        )
    return findings + slower(new.seconds, stable.seconds, limits)


def slower(seconds: float, stable_seconds: float, limits: Limits) -> list[str]:
    """Find whether a response took far longer than the stable version's."""
    if seconds <= max(stable_seconds * limits.stable_slower, stable_seconds + limits.stable_slower_by):
        return []
    times = seconds / max(stable_seconds, 0.001)
    told = f"the answer took {seconds:.2f} s, {times:.1f} times the stable version's {stable_seconds:.2f} s"
    return [f"{told}; the limit is {limits.stable_slower:g} times"]


def _time(seconds: float, limits: Limits) -> Iterator[str]:
    if seconds > limits.max_seconds:
        yield f"the answer took {seconds:.2f} s; the limit is {limits.max_seconds:g} s"


def _length(found: Measures, text: str) -> Iterator[str]:
    span = plausible_seconds(text)
    if not span.low <= found.seconds <= span.high:
        yield (
            f"{found.seconds:.2f} s of audio for {len(text)} characters;"
            f" {span.low:.1f} to {span.high:.1f} s would be plausible"
        )


def _level(found: Measures, limits: Limits) -> Iterator[str]:
    if found.loudness < limits.quietest:
        yield f"the audio is too quiet: {found.loudness:.1f} dBFS; speech is above {limits.quietest:g}"
    if found.loudness > limits.loudest:
        yield f"the audio is too loud: {found.loudness:.1f} dBFS; speech is below {limits.loudest:g}"
    if found.clipped > limits.max_clipped:
        yield (
            f"the audio is clipped: {found.clipped:.1%} of the samples are at its peak of {found.peak:.2f};"
            f" the limit is {limits.max_clipped:.1%}"
        )
    if found.silent > limits.max_silent:
        yield f"{found.silent:.0%} of the audio is silence; the limit is {limits.max_silent:.0%}"


def _liveliness(found: Measures, limits: Limits) -> Iterator[str]:
    low = limits.steady_variation if found.colour < limits.steady_colour else limits.min_variation
    if found.variation < low:
        yield (
            f"the audio is as steady as noise or a tone: its level varies by {found.variation:.1f} dB;"
            f" speech varies by more than {low:g}"
        )
    elif found.colour < limits.min_colour:
        yield (
            f"the audio is a tone: its zero crossings vary by {found.colour:.4f} of the samples;"
            f" speech varies by more than {limits.min_colour:g}"
        )
    elif found.crossings > limits.hiss_crossings and found.colour < limits.hiss_colour:
        yield (
            f"the audio is noise: {found.crossings:.0%} of its samples change sign, varying by {found.colour:.3f};"
            f" hiss in speech varies by more than {limits.hiss_colour:g}"
        )


def _ending(found: Measures, text: str, limits: Limits, stable: Judged | None) -> Iterator[str]:
    if found.ending <= limits.max_ending or syllables(text).least < limits.ending_syllables:
        return
    if stable is not None and stable.measures is not None and stable.measures.ending > limits.max_ending:
        return  # this voice always ends like that
    yield (
        f"the audio is cut off: its last 20 ms are {_decibels_apart(found.ending)} the rest;"
        f" speech fades by more than {-limits.max_ending:g} dB at its end"
    )


def _decibels_apart(decibels: float) -> str:
    return f"{abs(decibels):.0f} dB {'below' if decibels < 0 else 'above'}"
