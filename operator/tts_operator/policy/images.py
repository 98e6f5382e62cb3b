"""Image references, as far as a policy tells them apart."""


def repository(reference: str) -> str:
    """The repository of an image reference, without tag and digest; names are taken as they are written.

    The host of a registry may have a port: registry.example:5000/speech:v1 is registry.example:5000/speech.
    """
    name = reference.partition("@")[0]
    path, slash, last = name.rpartition("/")
    return path + slash + last.partition(":")[0]
