"""Notes of an invented company, written as a tax office would have authorised them; the key's digit worked out here."""

import io
import zipfile
from typing import Any

COMPANY = "12345678000195"
LETTERS = "12ABC34501DE35"
BUYER = "52998224725"
NS = "http://www.portalfiscal.inf.br/nfe"


def key(
    number: int = 1, *, issuer: str = COMPANY, model: str = "55", series: int = 1, month: str = "2611", uf: str = "35"
) -> str:
    body = f"{uf}{month}{issuer:0>14}{model}{series:03d}{number:09d}1{number:08d}"
    total = sum((ord(char) - 48) * (2 + at % 8) for at, char in enumerate(reversed(body)))
    return body + str(0 if total % 11 < 2 else 11 - total % 11)


def note(number: int = 1, **told: Any) -> bytes:
    """An authorised nfeProc. `told` changes it; `protocol=None` leaves the tax office's answer out."""
    is_ = {
        "issuer": COMPANY,
        "model": "55",
        "series": 1,
        "test": False,
        "direction": "1",
        "purpose": "1",
        "total": "<ICMSTot><vNF>150.00</vNF></ICMSTot>",
        "issued": "<dhEmi>2026-11-20T10:00:00-03:00</dhEmi>",
        "dest": f"<dest><CPF>{BUYER}</CPF><xNome>Cliente Inventado</xNome></dest>",
        "order": "",
        "extra": "",
        "cstat": "100",
        "protocol": "135260000000001",
        "received": "2026-11-20T10:00:03-03:00",
        "inside": "",
        "versao": "4.00",
        **told,
    }
    which = is_.get("key") or key(number, issuer=is_["issuer"], model=is_["model"], series=is_["series"])
    environment = 2 if is_["test"] else 1
    party = "CPF" if len(is_["issuer"]) == 11 else "CNPJ"
    answer = (
        f'<protNFe versao="4.00"><infProt><tpAmb>{environment}</tpAmb><chNFe>{which}</chNFe>'
        f"<dhRecbto>{is_['received']}</dhRecbto><nProt>{is_['protocol']}</nProt><cStat>{is_['cstat']}</cStat>"
        "<xMotivo>Autorizado o uso da NF-e</xMotivo></infProt></protNFe>"
    )
    body = (
        f'<NFe><infNFe versao="{is_["versao"]}" Id="NFe{which}"><ide><cUF>35</cUF><mod>{is_["model"]}</mod>'
        f"<serie>{is_['series']}</serie><nNF>{number}</nNF>{is_['issued']}<tpNF>{is_['direction']}</tpNF>"
        f"<tpAmb>{environment}</tpAmb><finNFe>{is_['purpose']}</finNFe></ide>"
        f"<emit><{party}>{is_['issuer']}</{party}><xNome>Loja Sol</xNome></emit>{is_['dest']}{is_['extra']}"
        f'<det nItem="1"><prod><xProd>Caneca de louça</xProd>{is_["order"]}</prod></det>'
        f"<total>{is_['total']}</total><infAdic><infCpl>Venda 1001</infCpl></infAdic></infNFe></NFe>"
    )
    if is_["protocol"] is None:
        return body.replace("<NFe>", f'<NFe xmlns="{NS}">', 1).encode()
    root = f'<nfeProc xmlns="{NS}" versao="4.00">'
    return f'<?xml version="1.0" encoding="UTF-8"?>{root}{body}{answer}{is_["inside"]}</nfeProc>'.encode()


def event(
    of: str, kind: str = "110110", sequence: int = 1, *, cstat: str | None = "135", author: str = "", test: bool = False
) -> bytes:
    """A procEventoNFe; `cstat=None` is a request that nobody has answered."""
    environment = f"<tpAmb>{2 if test else 1}</tpAmb>"
    answer = (
        f'<retEvento versao="1.00"><infEvento>{environment}<cStat>{cstat}</cStat><chNFe>{of}</chNFe>'
        f"<tpEvento>{kind}</tpEvento><nSeqEvento>{sequence}</nSeqEvento>"
        "<dhRegEvento>2026-11-21T09:00:02-03:00</dhRegEvento><nProt>135260000000009</nProt></infEvento></retEvento>"
    )
    if cstat is None:
        answer = ""
    return (
        f'<procEventoNFe xmlns="{NS}" versao="1.00"><evento versao="1.00"><infEvento>{environment}'
        f"<CNPJ>{author or of[6:20]}</CNPJ><chNFe>{of}</chNFe><dhEvento>2026-11-21T09:00:00-03:00</dhEvento>"
        f"<tpEvento>{kind}</tpEvento><nSeqEvento>{sequence}</nSeqEvento></infEvento></evento>{answer}</procEventoNFe>"
    ).encode()


def zipped(*files: bytes, method: int = zipfile.ZIP_DEFLATED, name: str = "XML_{}.xml") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for at, content in enumerate(files):
            archive.writestr(name.format(at), content)
    return packed.getvalue()
