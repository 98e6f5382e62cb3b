"""The fields of requests and responses, and the OpenAPI document that describes them."""
