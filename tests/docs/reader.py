"""A reader: somebody with a shell who follows pages."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

from bench.figures import Figure
from devcluster.product import ROOT
from tests.docs.shell import BlockError, Ran, Shell
from tests.docs.steps import Reading, Step, steps

BLOCK_SECONDS = 600
"""More than any `--timeout` on a page but those of pipelines."""
OF_THE_TEST_RUN = ("CLUSTER", "KUBECONFIG", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONPATH", "REGISTRY", "VIRTUAL_ENV")
"""Variables that somebody who opens a new shell does not have."""


@dataclass(frozen=True)
class Reader:
    """A reader with a shell, and the variables of it that the table uses."""

    shell: Shell
    variables: Mapping[str, str]
    figures: list[Figure]

    def follow(self, page: Path, reading: Reading) -> Iterator[tuple[Step, Ran | None]]:
        """Run and save the blocks of a page. Yields after each step, with what a run has printed."""
        name, total = str(page.relative_to(ROOT)), 0.0
        if reading.before:
            self.shell.run(reading.before, seconds=BLOCK_SECONDS)
        for step in steps(page, reading):
            ran = self._do(step)
            if ran is not None:
                total += ran.seconds
                self.figures.append(Figure(step.block.place, round(ran.seconds, 1), "seconds"))
            yield step, ran
        self.figures.append(Figure(f"{name}, all blocks", round(total, 1), "seconds"))

    def _do(self, step: Step) -> Ran | None:
        if step.file is not None:
            text = Template(step.typed).safe_substitute(self.variables)
            (self.shell.directory / step.file).write_text(text, encoding="utf-8")
            return None
        typed = step.typed
        if step.block.language == "python":
            typed = f"\"$PYTHON\" - <<'END'\n{typed}END\n"
        ends, pattern = (step.shows.ends, step.shows.pattern) if step.shows else ("well", "")
        try:
            return self.shell.run(typed, seconds=BLOCK_SECONDS, ends=ends, shows=pattern)
        except BlockError as error:
            raise BlockError(f"{step.block.place} {error}") from None


def environment(**more: str) -> dict[str, str]:
    """The variables of a new shell on this machine, and more."""
    there = {name: value for name, value in os.environ.items() if name not in OF_THE_TEST_RUN}
    return {name: value for name, value in there.items() if not name.startswith("PYTEST_")} | more


def path_without(programs: Collection[str], folder: Path) -> str:
    """A PATH on which these programs are not: links in `folder` replace the directories that have one of them."""
    found = []
    for number, each in enumerate(os.environ["PATH"].split(os.pathsep)):
        there = Path(each)
        if any((there / program).exists() for program in programs):
            links = folder / str(number)
            links.mkdir(parents=True)
            for program in there.iterdir():
                if program.name not in programs:
                    (links / program.name).symlink_to(program)
            there = links
        found.append(str(there))
    return os.pathsep.join(found)


def assert_speech(file: Path, text: str) -> None:
    """Fail unless a file is speech that is as long as the text takes to say, and is not silent."""
    import soundfile

    samples, rate = soundfile.read(file)
    seconds = len(samples) / rate
    loudness = math.sqrt(float((samples**2).mean()))
    spoken = sum(character.isalnum() for character in text)
    assert 0.12 * spoken < seconds < 0.6 * spoken + 1, f"{file.name}: {seconds:.1f} s for {spoken} characters"
    assert loudness > 0.01, f"{file.name}: loudness {loudness:.4f} of full scale"
