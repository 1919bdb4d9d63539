"""Files by link: images of products, XML of NF-e (`/tagplus/files/…`), open to whoever has the link."""

import base64
from typing import TYPE_CHECKING, Any

from sandbox.core.exchange import Reply, Request, page

if TYPE_CHECKING:
    from sandbox.tagplus.vendor import TagPlus


STORE = "localhost"
"""The sandbox's other name: the file store that a link may lead to (`possui_xml_s3`)."""


class FileCall:
    """One request for `{account}/nfe/{key}.xml` or `{account}/imagens/{product}/{image}.{extension}`."""

    api = "tagplus-files"
    counted = False

    def __init__(self, request: Request, path: str, vendor: "TagPlus") -> None:
        self.request = request
        self.vendor = vendor
        self.parts = path.split("/")
        self.account: str | None = self.parts[0] if self.parts[0] in vendor.accounts else None
        self.concrete = f"{request.method} /files/{path}"
        self.operation = f"{request.method} /files/{{path}}"
        self.params: dict[str, Any] = {}
        self.window = None

    def admit(self) -> Reply | None:
        """Everyone may; but as at S3, whose links are signed, a file store takes no second proof of who asks."""
        named = self.request.headers.get(b"host", b"").decode("latin-1").partition(":")[0]
        if named == STORE and b"authorization" in self.request.headers:
            return page(400, "400 Only one auth mechanism allowed")
        return None

    def enter(self) -> None:
        """Nothing is counted here."""

    def leave(self) -> None:
        """Nothing is counted here."""

    def work(self) -> Reply:
        """Answer the file."""
        found = None if self.account is None else self._file(self.account)
        return page(404, "404 Not Found") if found is None else Reply(200, *found)

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal."""
        return page(429, "429 Too Many Requests") if fault == "over_quota" else page(503, "503 Service Unavailable")

    def expire_token(self) -> Reply | None:
        """Links do not expire."""
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return the file as it is."""
        return reply

    def _file(self, account: str) -> tuple[bytes, str] | None:
        store = self.vendor.accounts[account].store
        kind, *rest = self.parts[1:]
        if kind == "nfe" and len(rest) == 1:
            key = rest[0].removesuffix(".xml")
            note = next((n for n in store.notes.rows.values() if n["chave_acesso"] == key and n["xml"]), None)
            return None if note is None else (note["xml"].encode(), "application/xml")
        if kind == "imagens" and len(rest) == 2 and rest[0].isdigit():
            product = store.products.rows.get(int(rest[0]))
            images = [] if product is None else product["imagens"] or []
            image = next((i for i in images if f"{i['id']}.{i['extensao']}" == rest[1]), None)
            return None if image is None else (base64.b64decode(image["base64"]), f"image/{image['extensao']}")
        return None
