"""The endpoints, each a Flask blueprint, and the responses that they share."""
