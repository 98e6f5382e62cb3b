"""JSON logs, one object per line, with the namespace and name of the object that the line is about."""

import datetime
import logging
import sys

import msgspec

from tts_operator.runtime import current_key


class JsonFormatter(logging.Formatter):
    """Formats a log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Include time (RFC 3339), level, logger, and message; the object and a traceback, if any."""
        line = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        key = current_key()
        if key is not None:
            line["namespace"], line["object"] = key
        # The object's name has its own field, because LogRecord.name is the logger's.
        line |= {field: value for field in ("namespace", "object") if (value := record.__dict__.get(field)) is not None}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure(level: str) -> None:
    """Log to standard error. Of kopf's loggers, only warnings and errors."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # kopf runs outside the main thread on purpose, and would warn about that at each start.
    logging.getLogger("kopf._core.reactor.running").addFilter(lambda record: "OS signals" not in record.getMessage())
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
