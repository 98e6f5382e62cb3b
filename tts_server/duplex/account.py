"""What the tasks of a key use."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tts_server.apikeys import ApiKey
from tts_server.duplex.messages import TaskError
from tts_server.quota.quotas import QuotaExceededError, Quotas, TooLongForQuotaError


@contextmanager
def quota_errors() -> Iterator[None]:
    """Turn what a quota refuses into a :class:`TaskError`."""
    try:
        yield
    except QuotaExceededError as error:
        raise TaskError(error.code, str(error), retry_after=error.retry_after) from None
    except TooLongForQuotaError as error:
        raise TaskError("input_too_long", str(error)) from None


@dataclass(frozen=True, slots=True)
class Account:
    """Charges the key of a connection."""

    quotas: Quotas
    caller: ApiKey

    @contextmanager
    def charged(self, characters: int) -> Iterator[None]:
        """Charge for a piece of text before its audio is made, and give it back if there is none.

        Raises :class:`TaskError` if the key may not use as much.
        """
        with quota_errors():
            self.quotas.spend(self.caller, characters)
        try:
            yield
        except BaseException:
            self.quotas.refund(self.caller, characters)
            raise
        self.quotas.count(self.caller, characters=characters)
