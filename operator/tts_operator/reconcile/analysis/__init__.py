"""How a new revision does: what its pods say, and how they do with live traffic."""
