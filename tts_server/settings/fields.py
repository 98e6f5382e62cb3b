"""How a setting is declared, read from the environment, and shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, field, fields
from typing import Any, TypeVar

OPERATOR = "by the operator"
"""Stands where a field of a TTSService would, for a variable that the operator sets by itself."""

GROUP = "group"
"""In the metadata of a field that holds another dataclass of settings: that class."""

Group = TypeVar("Group")


class SettingsError(ValueError):
    """A variable has an invalid value. The message names the variable and says what is valid."""


def setting(
    env: str,
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    service: str = "",
    parse: Callable[[str], Any] | None = None,
) -> Any:
    """Return a field of a dataclass that is read from the variable ``env``.

    A number is from ``low`` to ``high``. A ``secret`` is never shown. ``service`` is the field of a TTSService that
    sets the variable. ``parse`` returns the value, or raises ValueError with a message that follows the name of the
    variable.
    """
    meta = {"env": env, "text": text, "low": low, "high": high, "choices": choices, "service": service, "parse": parse}
    return field(default=default, metadata=meta, repr=not secret)


def all_settings(settings: Any) -> "Iterator[Field[Any]]":
    """Yield the settings of a dataclass, and those of its groups."""
    for each in fields(settings):
        if GROUP in each.metadata:
            yield from all_settings(each.metadata[GROUP])
        else:
            yield each


def read(settings: type[Group], environ: Mapping[str, str]) -> Group:
    """Read the variables of a dataclass. Unset and empty ones keep their default. Raises :class:`SettingsError`."""
    values: dict[str, Any] = {}
    for each in fields(settings):  # type: ignore[arg-type] # any dataclass
        if GROUP in each.metadata:
            values[each.name] = read(each.metadata[GROUP], environ)
            continue
        given = environ.get(each.metadata["env"], "").strip()
        if given:
            values[each.name] = _parse(given, type(each.default), **each.metadata)
    return settings(**values)


def _parse(
    given: str,
    kind: type,
    *,
    env: str,
    low: float | None,
    high: float | None,
    choices: tuple[str, ...],
    parse: Callable[[str], Any] | None,
    **_: Any,
) -> Any:
    if parse:
        try:
            return parse(given)
        except ValueError as error:
            message = str(error)  # which may begin with the place in an object, as .name
            raise SettingsError(f"{env}{message}" if message.startswith(".") else f"{env} {message}") from None
    if kind is tuple:
        return tuple(given.replace(",", " ").split())
    if kind is str:
        value = given.lower() if choices else given
        if choices and value not in choices:
            raise SettingsError(f"{env} must be one of {', '.join(choices)}, not {given!r}.")
        return value
    noun = "a whole number" if kind is int else "a number"
    try:
        number = kind(given)
    except ValueError:
        raise SettingsError(f"{env} must be {noun} from {low:g} to {high:g}, not {given!r}.") from None
    # Not `number < low or number > high`, which would let NaN pass.
    if not (low is not None and high is not None and low <= number <= high):
        raise SettingsError(f"{env} must be {noun} from {low:g} to {high:g}, not {given!r}.")
    return number
