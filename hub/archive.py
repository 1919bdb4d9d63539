"""ZIPs from outside: how much they may hold is decided here, and not by whoever packed them."""

import io
import zipfile
import zlib
from collections.abc import Iterator

MOST_BYTES = 4 * 1024 * 1024
"""Of the archive as it came, and of one file in it; the largest note that a tax office takes has half a megabyte."""
MOST_FILES = 64
"""A note may have 20 correction letters."""
MOST_IN_ALL = 2 * MOST_BYTES


class ArchiveError(ValueError):
    """An archive that is broken, or holds more than we take; `received` says of it what may be shown."""

    def __init__(self, received: str, detail: str) -> None:
        super().__init__(received, detail)
        self.received = received
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


def is_zip(content: bytes) -> bool:
    """Whether it begins as a ZIP does, an empty one too."""
    return content.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def unpack(content: bytes, ending: str) -> Iterator[bytes]:
    """The files in it whose names end so, one after the other. Raises ArchiveError.

    What a header says of a file's size is not believed: no more is inflated than is allowed, whatever it says.
    """
    if len(content) > MOST_BYTES:
        raise ArchiveError(f"{len(content)} bytes", f"valid is a ZIP of at most {MOST_BYTES} bytes")
    left = MOST_IN_ALL
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_FILES:
                raise ArchiveError(f"{len(entries)} files", f"valid are at most {MOST_FILES} files in a ZIP")
            for entry in entries:
                if entry.is_dir() or not entry.filename.lower().endswith(ending):
                    continue
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    # The others let a few bytes ask for a dictionary of gigabytes.
                    raise ArchiveError(f"method {entry.compress_type}", "valid are files stored or deflated")
                with archive.open(entry) as file:
                    inflated = file.read(min(left, MOST_BYTES) + 1)
                if len(inflated) > min(left, MOST_BYTES):
                    raise ArchiveError("too much in it", f"valid are {MOST_BYTES} bytes a file, {MOST_IN_ALL} in all")
                left -= len(inflated)
                yield inflated
    except ArchiveError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ArchiveError(f"{len(content)} bytes", f"it is no ZIP that can be read ({type(error).__name__})") from None
