"""Programs of other projects, unmodified, on what they get from us.

They take minutes to compile, so none of this is part of `make test`.
"""

from tests.integration.conftest import cache
from tests.integration.operator.conftest import installed, world

__all__ = ["cache", "installed", "world"]
