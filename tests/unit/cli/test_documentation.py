"""docs/kubectl-tts.md has every verb, with an example that the plugin understands, and every exit code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from tts_operator.cli.root import COMMANDS, EXIT_CODES, root

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "kubectl-tts.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:console|sh)\n(.*?)```", TEXT, re.DOTALL)
EXAMPLES = [
    line.removeprefix("$ ").partition("    #")[0].strip()
    for block in BLOCKS
    for line in block.splitlines()
    if line.removeprefix("$ ").startswith("kubectl tts ")
]


def command(name: str) -> click.Command:
    found = root.get_command(click.Context(root), name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_each_verb_has_a_section_and_an_example(name: str) -> None:
    titles = re.findall(r"(?m)^## (.*)$", TEXT)
    assert [title for title in titles if name in re.split(r"[ ,]+", title)], f"## {name} is missing"
    assert [line for line in EXAMPLES if line.split()[2] == name], f"kubectl tts {name} has no example"
    assert f"`{name}`" in TEXT.partition("## Install")[0], f"the table at the top lacks {name}"


def test_each_verb_of_jobs_is_there() -> None:
    jobs = command("job")
    assert isinstance(jobs, click.Group)
    for name in jobs.commands:
        assert [line for line in EXAMPLES if line.split()[2:4] == ["job", name]] or f"`job {name}`" in TEXT, name


@pytest.mark.parametrize("line", EXAMPLES)
def test_each_example_is_understood(line: str) -> None:
    words = shlex.split(line.partition(" | ")[0].replace(" ID", " job_01a227bab741af92266e9e369260"))[2:]
    if words[0].startswith("-"):
        return
    parsed = command(words[0])
    rest = words[1:]
    if isinstance(parsed, click.Group):
        parsed, rest = parsed.commands[rest[0]], rest[1:]
    context = parsed.make_context(words[0], rest)
    assert context.params


def test_each_exit_code_is_there() -> None:
    table = TEXT.partition("## Exit codes")[2]
    assert re.findall(r"(?m)^\| (\d+) \|", table) == [code for code, _ in EXIT_CODES]


def test_contributing_says_how_to_add_one() -> None:
    assert "| Add a verb of the plugin |" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
