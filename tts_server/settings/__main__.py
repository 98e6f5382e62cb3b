"""Write the table of settings into a page of the documentation."""

import sys
from pathlib import Path

from tts_server.settings.table import settings_markdown


def _write_documentation(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    head, _, rest = text.partition("<!-- settings -->\n")
    _, mark, tail = rest.partition("<!-- end of settings")
    path.write_text(f"{head}<!-- settings -->\n{settings_markdown()}{mark}{tail}", encoding="utf-8")


if __name__ == "__main__":
    _write_documentation(Path(sys.argv[1]))
