"""NF-e documents as a tax office would have authorized them: access key, XML (layout 4.00), events."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.sax.saxutils import escape

from sandbox.core.clock import local, local_text
from sandbox.core.documents import key_digit

NAMESPACE = "http://www.portalfiscal.inf.br/nfe"
TEST_NAME = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
MODEL, SERIES = "55", 1
CENT = Decimal("0.01")
_USE = (
    "A Carta de Correcao e disciplinada pelo paragrafo 1o-A do art. 7o do Convenio S/N, de 15 de dezembro de 1970 e "
    "pode ser utilizada para regularizacao de erro ocorrido na emissao de documento fiscal, desde que o erro nao "
    "esteja relacionado com: I - as variaveis que determinam o valor do imposto tais como: base de calculo, aliquota, "
    "diferenca de preco, quantidade, valor da operacao ou da prestacao; II - a correcao de dados cadastrais que "
    "implique mudanca do remetente ou do destinatario; III - a data de emissao ou de saida."
)


#: State → its code in an access key (IBGE).
UF_CODES = {
    "RO": 11, "AC": 12, "AM": 13, "RR": 14, "PA": 15, "AP": 16, "TO": 17, "MA": 21, "PI": 22, "CE": 23, "RN": 24,
    "PB": 25, "PE": 26, "AL": 27, "SE": 28, "BA": 29, "MG": 31, "ES": 32, "RJ": 33, "SP": 35, "PR": 41, "SC": 42,
    "RS": 43, "MS": 50, "MT": 51, "GO": 52, "DF": 53,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues: CNPJ without mask, names, state and its IBGE code."""

    cnpj: str
    name: str
    trade_name: str
    uf: str
    uf_code: int


@dataclass(frozen=True, slots=True)
class Client:
    """Who buys: document without mask; `address` has cep, logradouro, numero, complemento, bairro, id_cidade, cidade,
    estado."""

    document: str
    name: str
    email: str
    address: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `discount` is its own, beside its share of the note's."""

    sku: str
    gtin: str
    ncm: str
    unit: str
    name: str
    quantity: Decimal
    price: Decimal
    cfop: str = "5102"
    discount: Decimal = Decimal(0)

    @property
    def worth(self) -> Decimal:
        """Quantity times price, in centavos."""
        return (self.quantity * self.price).quantize(CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a note is made of; `payment` is a tPag code, `payment_name` says what code 99 is."""

    issuer: Issuer
    client: Client
    lines: tuple[Line, ...]
    freight: Decimal
    discount: Decimal
    payment: str
    payment_name: str
    about: str
    number: int
    issued_at: float
    test: bool
    other: Decimal = Decimal(0)

    @property
    def client_name(self) -> str:
        """The name on the note: in the test environment a fixed sentence."""
        return TEST_NAME if self.test else self.client.name

    @property
    def gross(self) -> Decimal:
        """What the lines are worth."""
        return sum((line.worth for line in self.lines), Decimal(0))

    @property
    def discounts(self) -> Decimal:
        """Every discount of the note."""
        return self.discount + sum((line.discount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """What the note comes to."""
        return self.gross + self.freight + self.other - self.discounts


def access_key(draft: Draft) -> str:
    """Return the 44 characters of a note: state, year and month, CNPJ, model, series, number, type, code, digit."""
    issuer = draft.issuer
    code = int(hashlib.sha256(f"{issuer.cnpj}/{draft.number}".encode()).hexdigest(), 16) % 100_000_000
    month = local_text(draft.issued_at, "%y%m")
    body = f"{issuer.uf_code:02d}{month}{issuer.cnpj}{MODEL}{SERIES:03d}{draft.number:09d}1{code:08d}"
    return body + key_digit(body)


def protocol(draft: Draft) -> str:
    """Return the 15 digits of the authorization."""
    return f"1{draft.issuer.uf_code:02d}{local_text(draft.issued_at, '%y')}{draft.number:010d}"


def document(draft: Draft, key: str) -> bytes:
    """Return the authorized note (`nfeProc`) in UTF-8."""
    inner = _inf_nfe(draft, key)
    digest = base64.b64encode(hashlib.sha1(inner.encode(), usedforsecurity=False).digest()).decode()
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<nfeProc versao="4.00" xmlns="{NAMESPACE}"><NFe xmlns="{NAMESPACE}">{inner}{_signature(key, digest)}</NFe>'
        f'<protNFe versao="4.00"><infProt><tpAmb>{_environment(draft)}</tpAmb><verAplic>SANDBOX</verAplic>'
        f"<chNFe>{key}</chNFe><dhRecbto>{_moment(draft.issued_at + 3)}</dhRecbto><nProt>{protocol(draft)}</nProt>"
        f"<digVal>{digest}</digVal><cStat>100</cStat><xMotivo>Autorizado o uso da NF-e</xMotivo></infProt></protNFe>"
        "</nfeProc>"
    )
    return text.encode()


def correction(key: str, issuer: Issuer, test: bool, sequence: int, text: str, at: float) -> bytes:
    """Return a registered correction letter (`procEventoNFe`, type 110110) in UTF-8."""
    detail = (
        f"<descEvento>Carta de Correcao</descEvento><xCorrecao>{escape(text)}</xCorrecao><xCondUso>{_USE}</xCondUso>"
    )
    return _event("110110", detail, key, issuer, test, sequence, at)


def cancellation(key: str, issuer: Issuer, test: bool, authorization: str, reason: str, at: float) -> bytes:
    """Return a registered cancellation (`procEventoNFe`, type 110111) in UTF-8; `authorization` is the protocol."""
    detail = f"<descEvento>Cancelamento</descEvento><nProt>{authorization}</nProt><xJust>{escape(reason)}</xJust>"
    return _event("110111", detail, key, issuer, test, 1, at)


def _event(kind: str, detail: str, key: str, issuer: Issuer, test: bool, sequence: int, at: float) -> bytes:
    ident = f"ID{kind}{key}{sequence:02d}"
    environment = 2 if test else 1
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<procEventoNFe versao="1.00" xmlns="{NAMESPACE}"><evento versao="1.00"><infEvento Id="{ident}">'
        f"<cOrgao>{issuer.uf_code}</cOrgao><tpAmb>{environment}</tpAmb><CNPJ>{issuer.cnpj}</CNPJ><chNFe>{key}</chNFe>"
        f"<dhEvento>{_moment(at)}</dhEvento><tpEvento>{kind}</tpEvento><nSeqEvento>{sequence}</nSeqEvento>"
        f'<verEvento>1.00</verEvento><detEvento versao="1.00">{detail}</detEvento></infEvento></evento>'
        f'<retEvento versao="1.00"><infEvento><tpAmb>{environment}</tpAmb><verAplic>SANDBOX</verAplic>'
        f"<cOrgao>{issuer.uf_code}</cOrgao><cStat>135</cStat><xMotivo>Evento registrado e vinculado a NF-e</xMotivo>"
        f"<chNFe>{key}</chNFe><tpEvento>{kind}</tpEvento><nSeqEvento>{sequence}</nSeqEvento>"
        f"<dhRegEvento>{_moment(at + 2)}</dhRegEvento><nProt>{issuer.uf_code:03d}{sequence:012d}</nProt></infEvento>"
        "</retEvento></procEventoNFe>"
    )
    return body.encode()


def _inf_nfe(draft: Draft, key: str) -> str:
    freights, discounts, others = (_shares(draft, part) for part in (draft.freight, draft.discount, draft.other))
    lines = "".join(
        _line(line, at, freights[at], line.discount + discounts[at], others[at]) for at, line in enumerate(draft.lines)
    )
    paid = f"<xPag>{escape(draft.payment_name)}</xPag>" if draft.payment == "99" else ""
    return (
        f'<infNFe xmlns="{NAMESPACE}" versao="4.00" Id="NFe{key}">{_ide(draft, key)}{_emit(draft.issuer)}{_dest(draft)}'
        f"{lines}{_total(draft)}<transp><modFrete>{0 if draft.freight else 9}</modFrete></transp>"
        f"<pag><detPag><tPag>{draft.payment}</tPag>{paid}<vPag>{draft.total:.2f}</vPag></detPag></pag>"
        f"<infAdic><infCpl>{escape(draft.about)}</infCpl></infAdic></infNFe>"
    )


def _ide(draft: Draft, key: str) -> str:
    inside = (draft.client.address.get("estado") or draft.issuer.uf) == draft.issuer.uf
    return (
        f"<ide><cUF>{draft.issuer.uf_code}</cUF><cNF>{key[35:43]}</cNF><natOp>Venda de mercadoria</natOp>"
        f"<mod>{MODEL}</mod><serie>{SERIES}</serie><nNF>{draft.number}</nNF><dhEmi>{_moment(draft.issued_at)}</dhEmi><tpNF>1</tpNF>"
        f"<idDest>{1 if inside else 2}</idDest><cMunFG>4205407</cMunFG><tpImp>1</tpImp><tpEmis>1</tpEmis>"
        f"<cDV>{key[43]}</cDV><tpAmb>{_environment(draft)}</tpAmb><finNFe>1</finNFe><indFinal>1</indFinal><indPres>2</indPres>"
        "<procEmi>0</procEmi><verProc>SANDBOX</verProc></ide>"
    )


def _emit(issuer: Issuer) -> str:
    return (
        f"<emit><CNPJ>{issuer.cnpj}</CNPJ><xNome>{escape(issuer.name)}</xNome><xFant>{escape(issuer.trade_name)}</xFant>"
        "<enderEmit><xLgr>Rua da Loja</xLgr><nro>100</nro><xBairro>Centro</xBairro><cMun>4205407</cMun>"
        f"<xMun>Florianópolis</xMun><UF>{issuer.uf}</UF><CEP>88010000</CEP><cPais>1058</cPais><xPais>Brasil</xPais>"
        "</enderEmit><IE>250000000</IE><CRT>1</CRT></emit>"
    )


def _dest(draft: Draft) -> str:
    client, address = draft.client, draft.client.address
    kind = "CPF" if len(client.document) == 11 else "CNPJ"
    zip_code = "".join(c for c in address.get("cep") or "" if c.isdigit())
    street = "".join(
        f"<{tag}>{escape(str(value))}</{tag}>"
        for tag, value in (
            ("xLgr", address.get("logradouro") or "Não informado"), ("nro", address.get("numero") or "S/N"),
            ("xCpl", address.get("complemento")), ("xBairro", address.get("bairro") or "Centro"),
            ("cMun", address.get("id_cidade") or 4205407), ("xMun", address.get("cidade") or "Florianópolis"),
            ("UF", address.get("estado") or draft.issuer.uf), ("CEP", zip_code), ("cPais", "1058"), ("xPais", "Brasil"),
        )
        if value
    )  # fmt: skip
    mail = f"<email>{escape(client.email)}</email>" if client.email else ""
    return (
        f"<dest><{kind}>{client.document}</{kind}><xNome>{escape(draft.client_name)}</xNome>"
        f"<enderDest>{street}</enderDest><indIEDest>9</indIEDest>{mail}</dest>"
    )


def _line(line: Line, at: int, freight: Decimal, discount: Decimal, other: Decimal) -> str:
    parts = (("vFrete", freight), ("vDesc", discount), ("vOutro", other))
    extra = "".join(f"<{tag}>{value:.2f}</{tag}>" for tag, value in parts if value)
    base = line.worth - discount
    return (
        f'<det nItem="{at + 1}"><prod><cProd>{escape(line.sku)}</cProd><cEAN>{line.gtin}</cEAN>'
        f"<xProd>{escape(line.name)}</xProd><NCM>{line.ncm}</NCM><CFOP>{line.cfop}</CFOP><uCom>{line.unit}</uCom>"
        f"<qCom>{line.quantity:.4f}</qCom><vUnCom>{line.price:.10f}</vUnCom><vProd>{line.worth:.2f}</vProd><cEANTrib>{line.gtin}</cEANTrib>"
        f"<uTrib>{line.unit}</uTrib><qTrib>{line.quantity:.4f}</qTrib><vUnTrib>{line.price:.10f}</vUnTrib>{extra}<indTot>1</indTot></prod>"
        "<imposto><ICMS><ICMSSN102><orig>0</orig><CSOSN>102</CSOSN></ICMSSN102></ICMS>"
        "<PIS><PISOutr><CST>49</CST><vBC>0.00</vBC><pPIS>0.00</pPIS><vPIS>0.00</vPIS></PISOutr></PIS>"
        "<COFINS><COFINSOutr><CST>49</CST><vBC>0.00</vBC><pCOFINS>0.00</pCOFINS><vCOFINS>0.00</vCOFINS></COFINSOutr></COFINS>"
        # The tax groups of 2026, which readers of older layouts do not know.
        f"<IBSCBS><CST>000</CST><cClassTrib>000001</cClassTrib><gIBSCBS><vBC>{base:.2f}</vBC><vIBS>0.00</vIBS>"
        "<gCBS><pCBS>0.90</pCBS><vCBS>0.00</vCBS></gCBS></gIBSCBS></IBSCBS></imposto></det>"
    )


def _total(draft: Draft) -> str:
    worth, discount = draft.gross, draft.discounts
    zeros = "".join(
        f"<{tag}>0.00</{tag}>" for tag in ("vBC", "vICMS", "vICMSDeson", "vFCP", "vBCST", "vST", "vFCPST", "vFCPSTRet")
    )
    return (
        f"<total><ICMSTot>{zeros}<vProd>{worth:.2f}</vProd><vFrete>{draft.freight:.2f}</vFrete><vSeg>0.00</vSeg>"
        f"<vDesc>{discount:.2f}</vDesc><vII>0.00</vII><vIPI>0.00</vIPI><vIPIDevol>0.00</vIPIDevol><vPIS>0.00</vPIS>"
        f"<vCOFINS>0.00</vCOFINS><vOutro>{draft.other:.2f}</vOutro><vNF>{draft.total:.2f}</vNF></ICMSTot>"
        f"<IBSCBSTot><vBCIBSCBS>{worth - discount:.2f}</vBCIBSCBS></IBSCBSTot></total>"
    )


def _shares(draft: Draft, whole: Decimal) -> list[Decimal]:
    # The note's totals are the sums of its lines: the last line takes what rounding left over.
    gross = draft.gross
    shares = [(whole * line.worth / gross).quantize(CENT, ROUND_HALF_UP) for line in draft.lines[:-1] if gross]
    shares += [Decimal(0)] * (len(draft.lines) - 1 - len(shares))
    return [*shares, whole - sum(shares, Decimal(0))]


def _signature(key: str, digest: str) -> str:
    value = base64.b64encode(hashlib.sha512(digest.encode()).digest() * 4).decode()
    return (
        '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>'
        '<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/>'
        '<SignatureMethod Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/>'
        f'<Reference URI="#NFe{key}"><Transforms>'
        '<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
        '<Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"/></Transforms>'
        '<DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"/>'
        f"<DigestValue>{digest}</DigestValue></Reference></SignedInfo><SignatureValue>{value}</SignatureValue></Signature>"
    )


def _environment(draft: Draft) -> int:
    return 2 if draft.test else 1


def _moment(at: float) -> str:
    return local(at).isoformat(timespec="seconds")
