"""Request parameters: query string, urlencoded and multipart bodies."""

from urllib.parse import parse_qsl


def urlencoded(raw: bytes) -> dict[str, str]:
    """Read `a=1&b=2`, keeping blank values; of a repeated name the last wins."""
    if not raw:
        return {}
    return dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))


def body_params(raw: bytes, content_type: str) -> dict[str, str]:
    """Read a form body of either encoding; a body of another kind holds no parameters."""
    if not raw:
        return {}
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _multipart(raw, content_type)
    if kind in ("application/x-www-form-urlencoded", ""):
        return urlencoded(raw)
    return {}


def _multipart(raw: bytes, content_type: str) -> dict[str, str]:
    boundary = _parameter(content_type, "boundary")
    if not boundary:
        return {}
    found: dict[str, str] = {}
    for part in raw.split(b"--" + boundary.encode())[1:]:
        head, separator, value = part.partition(b"\r\n\r\n")
        if not separator:
            continue
        for line in head.decode("utf-8", "replace").split("\r\n"):
            if line.lower().startswith("content-disposition:"):
                name = _parameter(line, "name")
                if name:
                    found[name] = value.removesuffix(b"\r\n").decode("utf-8", "replace")
    return found


def _parameter(header: str, name: str) -> str:
    for piece in header.split(";")[1:]:
        key, _, value = piece.strip().partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return ""
