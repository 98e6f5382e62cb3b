"""The type of a JSON object, such as a manifest or an object of the API server."""

from typing import Any

Json = dict[str, Any]
