"""How many readings of polyphones and numbers are right, here and in other libraries."""
