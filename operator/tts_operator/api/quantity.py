"""Values of Kubernetes quantities: 1000m is 1.

Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15),
    "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_FORM = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]+)?([A-Za-z]*)")


def quantity(value: str | float) -> Decimal:
    """Parse a quantity into its base unit (cores, bytes). Raises ValueError if it is invalid."""
    match = _FORM.fullmatch(str(value))
    if match is None or match[3] not in _SUFFIXES:
        raise ValueError(f"{value!r} is no quantity: write a number with a suffix such as m, Mi or Gi")
    try:
        return Decimal(match[1] + (match[2] or "")) * _SUFFIXES[match[3]]
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is no quantity: its number cannot be read") from error
