"""Which Esteira this is."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """The version of Esteira, as installed."""
    try:
        return version("esteira")
    except PackageNotFoundError:
        return "unknown (not installed: run `make setup`)"
