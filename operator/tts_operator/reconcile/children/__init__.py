"""The children: whether each is as it should be, which are no longer wanted, and the requests that change them."""
