"""Jobs as the server describes them."""

from __future__ import annotations

import datetime
from typing import Any

from tts_operator.json_object import Json

ID = "job_01a227bab741af92266e9e369260"
NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.timezone.utc)


def body(**more: Any) -> Json:
    return {
        "id": ID,
        "status": "in_progress",
        "created_at": NOW.timestamp() - 180,
        "title": "山水",
        "voice": "aishell3-0",
        "response_format": "mp3",
        "characters": 812345,
        "progress": {"segments": 2300, "completed": 412},
        "audio": None,
        "subtitles": None,
        "chapters": [],
        "error": None,
        **more,
    }


COMPLETED = body(
    status="completed",
    progress={"segments": 2300, "completed": 2300},
    audio={"bytes": 45_200_000, "seconds": 4800.0},
    subtitles={"format": "srt"},
    chapters=[{"title": "第一章", "start": 0}],
)
