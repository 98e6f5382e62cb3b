"""When words sound: alone as JSON, SRT or WebVTT, or as events beside the audio."""

import json
from collections.abc import Collection, Iterator, Sequence

from flask import Response

from tts_server.api.errors import ApiError
from tts_server.api.schema.requests import CaptionFormat
from tts_server.synthesis.service import SpeechResult
from tts_server.timing.alignment import TimedSentence
from tts_server.timing.captions import cues, srt, vtt
from tts_server.timing.report import Granularity, report, seconds

DEFAULT_GRANULARITIES: tuple[Granularity, ...] = ("segment", "word")
_PARAM = "timestamp_granularities"
_CAPTIONS: dict[CaptionFormat, tuple[str, frozenset[Granularity]]] = {
    "srt": ("application/x-subrip", frozenset({"segment"})),
    "vtt": ("text/vtt", frozenset({"segment", "word"})),
}


def check_granularities(output_format: CaptionFormat, granularities: Collection[Granularity] | None) -> None:
    """Raise :class:`ApiError` if the format cannot express what is asked for."""
    _, possible = _CAPTIONS.get(output_format, ("", frozenset(granularities or ())))
    impossible = sorted(set(granularities or ()) - possible)
    if impossible:
        raise ApiError(
            400,
            f"'{output_format}' has no times of {impossible[0]}s. Use 'response_format': 'json', or leave "
            f"{impossible[0]!r} out of {_PARAM!r}.",
            code="invalid_value",
            param=_PARAM,
        )


def timestamps_response(
    result: SpeechResult, output_format: CaptionFormat, granularities: Collection[Granularity] | None, sample_rate: int
) -> Response:
    """Return when the words of complete audio sound."""
    samples = round(result.seconds * sample_rate)
    if output_format == "json":
        times = report(enumerate(result.timing), granularities or DEFAULT_GRANULARITIES, sample_rate)
        body = json.dumps({"duration": seconds(samples, sample_rate), **times}, ensure_ascii=False)
        response = Response(body, mimetype="application/json")
    else:
        captions = cues(result.timing, samples=samples, sample_rate=sample_rate)
        text = srt(captions) if output_format == "srt" else vtt(captions, words="word" in (granularities or ()))
        response = Response(text, content_type=f"{_CAPTIONS[output_format][0]}; charset=utf-8")
    response.headers["X-Audio-Seconds"] = f"{result.seconds:.3f}"
    response.headers["X-Cache"] = result.cache_status
    return response


class TimestampEvents:
    """One event for each sentence of a stream, as soon as the sentence begins."""

    def __init__(
        self, timing: Sequence[TimedSentence], granularities: Collection[Granularity], sample_rate: int
    ) -> None:
        """Report what ``timing`` holds, which may still grow. Without granularities there are no events."""
        self._timing = timing
        self._granularities = granularities
        self._sample_rate = sample_rate
        self._reported = 0

    def take(self) -> Iterator[dict[str, object]]:
        """Yield the events of the sentences that have begun since the last call."""
        while self._granularities and self._reported < len(self._timing):
            number, self._reported = self._reported, self._reported + 1
            times = report([(number, self._timing[number])], self._granularities, self._sample_rate)
            yield {"type": "speech.audio.timestamps", **times}
