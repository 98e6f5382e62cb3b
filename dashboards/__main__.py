"""Write the dashboards' JSON: `python -m dashboards`, which `make generate` runs."""

import json
from pathlib import Path

from dashboards import cost, fleet, jobs, operator, rollouts, service
from dashboards.board import Board, Json

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "charts" / "tts-operator" / "dashboards"
OF_SERVICE = ROOT / "operator" / "tts_operator" / "desired" / "dashboard.json"
"""What the operator makes the dashboard of a single service from."""
BOARDS: tuple[Board, ...] = (service.BOARD, fleet.BOARD, rollouts.BOARD, jobs.BOARD, cost.BOARD, operator.BOARD)


def files() -> dict[Path, str]:
    """Return the text of each file."""
    return {
        **{CHART / f"{board.uid}.json": _text(board.json()) for board in BOARDS},
        OF_SERVICE: _text(service.BOARD.json()),
    }


def _text(board: Json) -> str:
    return json.dumps(board, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all files, and remove obsolete ones."""
    wanted = files()
    CHART.mkdir(exist_ok=True)
    for stale in set(CHART.glob("*.json")) - wanted.keys():
        stale.unlink()
    for path, text in wanted.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
