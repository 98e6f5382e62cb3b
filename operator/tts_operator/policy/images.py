"""Image references, as far as the policy distinguishes them."""


def repository(reference: str) -> str:
    """Return the repository of an image reference, without tag and digest, and without normalization.

    The registry's host may have a port: registry.example:5000/speech:v1 becomes registry.example:5000/speech.
    """
    name = reference.partition("@")[0]
    path, slash, last = name.rpartition("/")
    return path + slash + last.partition(":")[0]
