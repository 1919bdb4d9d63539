"""The API's description as one page of plain HTML, made from its OpenAPI document, with nothing to load from afar."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h2{margin-top:2.5rem;border-bottom:1px solid #d5dae0}h3{font:600 1rem ui-monospace,monospace;margin-bottom:.25rem}
h3 b{color:#0b5cad;margin-right:.6rem}table{border-collapse:collapse}td,th{text-align:left;padding:.15rem 1rem .15rem 0;
vertical-align:top}code{font-family:ui-monospace,monospace}p{margin:.25rem 0;white-space:pre-line}
@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181d}h2{border-color:#39424d}h3 b{color:#7ab8ff}}
"""


def docs_page(openapi: Mapping[str, Any]) -> str:
    """The HTML page of an OpenAPI document: the operations by tag, then the bodies."""
    info = openapi["info"]
    title = escape(f"{info['title']} {info['version']}")
    return "".join(
        [
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: API</title>',
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>',
            f"<h1>{title}</h1><p>{escape(info.get('summary', ''))}</p>",
            f"<p>{escape(info.get('description', '').strip())}</p>",
            '<p>For programs: <a href="openapi.json">openapi.json</a></p>',
            *_sections(openapi),
            *_bodies(openapi),
            "</body></html>",
        ]
    )


def _sections(openapi: Mapping[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, operations in openapi.get("paths", {}).items():
        for method, operation in operations.items():
            tag = next(iter(operation.get("tags", [])), "other")
            by_tag.setdefault(tag, []).append("".join(_operation(method, path, operation)))
    for tag, parts in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>"
        yield from parts


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3><b>{escape(method.upper())}</b>{escape(path)}</h3>"
    yield f"<p>{escape(operation.get('description') or operation.get('summary', ''))}</p><table>"
    for parameter in operation.get("parameters", []):
        need = "required" if parameter.get("required") else "optional"
        kind = _kind(parameter.get("schema", {}))
        yield _row(parameter["name"], f"{parameter['in']}, {need}, {kind}. {parameter.get('description', '')}")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        yield _row("body", f"{media}: {_kind(content.get('schema', {}))}")
    for code, answer in operation.get("responses", {}).items():
        kinds = ", ".join(_kind(content.get("schema", {})) for content in answer.get("content", {}).values())
        yield _row(code, f"{answer.get('description', '')} ({kinds})" if kinds else answer.get("description", ""))
    yield "</table>"


def _bodies(openapi: Mapping[str, Any]) -> Iterator[str]:
    """Every body, field by field: the operations name them only."""
    schemas = openapi.get("components", {}).get("schemas", {})
    if schemas:
        yield "<h2>bodies</h2>"
    for name, schema in sorted(schemas.items()):
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p><table>'
        for field, of in schema.get("properties", {}).items():
            need = "required" if field in schema.get("required", []) else "optional"
            parts = [f"{need}, {_kind(of)}", of.get("description", "")]
            yield _row(field, ". ".join(part for part in parts if part))
        yield "</table>"


def _row(name: str, text: str) -> str:
    return f"<tr><th><code>{escape(name)}</code></th><td>{escape(text)}</td></tr>"


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    return str(schema.get("format") or schema.get("type", "anything"))
