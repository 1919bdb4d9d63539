"""NF-e documents as a tax office would have authorized them: access key, XML (layout 4.00), correction letter."""

import base64
import hashlib
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.sax.saxutils import escape

from sandbox.contaazul.records import CENT, Sale, line_total, money
from sandbox.core.clock import local, local_text
from sandbox.core.documents import key_digit

NAMESPACE = "http://www.portalfiscal.inf.br/nfe"
TEST_NAME = "NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO - SEM VALOR FISCAL"
MODEL, SERIES = "55", 1
_PAYMENTS = {
    "DINHEIRO": "01", "CHEQUE": "02", "CARTAO_CREDITO": "03", "CARTAO_DEBITO": "04", "CREDITO_LOJA": "05",
    "VALE_ALIMENTACAO": "10", "VALE_REFEICAO": "11", "VALE_PRESENTE": "12", "VALE_COMBUSTIVEL": "13",
    "BOLETO_BANCARIO": "15", "DEPOSITO_BANCARIO": "16", "PIX_PAGAMENTO_INSTANTANEO": "17", "COBRANCA_PIX": "17",
    "TRANSFERENCIA_BANCARIA": "18", "CARTEIRA_DIGITAL": "18", "PROGRAMA_FIDELIDADE": "19", "SEM_PAGAMENTO": "90",
}  # fmt: skip
_USE = (
    "A Carta de Correcao e disciplinada pelo paragrafo 1o-A do art. 7o do Convenio S/N, de 15 de dezembro de 1970 e "
    "pode ser utilizada para regularizacao de erro ocorrido na emissao de documento fiscal, desde que o erro nao "
    "esteja relacionado com: I - as variaveis que determinam o valor do imposto tais como: base de calculo, aliquota, "
    "diferenca de preco, quantidade, valor da operacao ou da prestacao; II - a correcao de dados cadastrais que "
    "implique mudanca do remetente ou do destinatario; III - a data de emissao ou de saida."
)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues: CNPJ without mask, names, state and its IBGE code."""

    cnpj: str
    name: str
    trade_name: str
    uf: str
    uf_code: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a note is made of; `products` are (SKU, GTIN, NCM, unit) of the lines."""

    issuer: Issuer
    sale: Sale
    client: dict[str, Any]
    products: tuple[tuple[str, str, str, str], ...]
    number: int
    issued_at: float
    test: bool

    @property
    def client_name(self) -> str:
        """The name on the note: in the test environment a fixed sentence."""
        return TEST_NAME if self.test else str(self.client["nome"])


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
    ident = f"ID110110{key}{sequence:02d}"
    environment = 2 if test else 1
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<procEventoNFe versao="1.00" xmlns="{NAMESPACE}"><evento versao="1.00"><infEvento Id="{ident}">'
        f"<cOrgao>{issuer.uf_code}</cOrgao><tpAmb>{environment}</tpAmb><CNPJ>{issuer.cnpj}</CNPJ><chNFe>{key}</chNFe>"
        f"<dhEvento>{_moment(at)}</dhEvento><tpEvento>110110</tpEvento><nSeqEvento>{sequence}</nSeqEvento>"
        '<verEvento>1.00</verEvento><detEvento versao="1.00"><descEvento>Carta de Correcao</descEvento>'
        f"<xCorrecao>{escape(text)}</xCorrecao><xCondUso>{_USE}</xCondUso></detEvento></infEvento></evento>"
        f'<retEvento versao="1.00"><infEvento><tpAmb>{environment}</tpAmb><verAplic>SANDBOX</verAplic>'
        f"<cOrgao>{issuer.uf_code}</cOrgao><cStat>135</cStat><xMotivo>Evento registrado e vinculado a NF-e</xMotivo>"
        f"<chNFe>{key}</chNFe><tpEvento>110110</tpEvento><nSeqEvento>{sequence}</nSeqEvento>"
        f"<dhRegEvento>{_moment(at + 2)}</dhRegEvento><nProt>{issuer.uf_code:03d}{sequence:012d}</nProt></infEvento>"
        "</retEvento></procEventoNFe>"
    )
    return body.encode()


def _inf_nfe(draft: Draft, key: str) -> str:
    sale = draft.sale
    freights = _shares(sale, money(sale.freight))
    discounts = _shares(sale, sale.discount_value)
    lines = "".join(_line(draft, at, freights[at], discounts[at]) for at in range(len(sale.itens)))
    return (
        f'<infNFe xmlns="{NAMESPACE}" versao="4.00" Id="NFe{key}">{_ide(draft, key)}{_emit(draft.issuer)}{_dest(draft)}'
        f"{lines}{_total(draft)}<transp><modFrete>{0 if sale.freight else 9}</modFrete></transp>"
        f"<pag><detPag><tPag>{_PAYMENTS.get(sale.payment['tipo_pagamento'], '99')}</tPag>{_other(sale)}"
        f"<vPag>{sale.total:.2f}</vPag></detPag></pag>"
        f"<infAdic><infCpl>{escape(f'Venda {sale.numero}')}</infCpl></infAdic></infNFe>"
    )


def _ide(draft: Draft, key: str) -> str:
    inside = (draft.client["endereco"].get("estado") or draft.issuer.uf) == draft.issuer.uf
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
    client, address = draft.client, draft.client["endereco"]
    kind = "CPF" if len(client["documento"]) == 11 else "CNPJ"
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
    mail = f"<email>{escape(client['email'])}</email>" if client["email"] else ""
    return (
        f"<dest><{kind}>{client['documento']}</{kind}><xNome>{escape(draft.client_name)}</xNome>"
        f"<enderDest>{street}</enderDest><indIEDest>9</indIEDest>{mail}</dest>"
    )


def _line(draft: Draft, at: int, freight: Decimal, discount: Decimal) -> str:
    row = draft.sale.itens[at]
    sku, gtin, ncm, unit = draft.products[at]
    worth = line_total(row)
    quantity, price = Decimal(str(row["quantidade"])), Decimal(str(row["valor"]))
    extra = (f"<vFrete>{freight:.2f}</vFrete>" if freight else "") + (
        f"<vDesc>{discount:.2f}</vDesc>" if discount else ""
    )
    base = worth - discount
    return (
        f'<det nItem="{at + 1}"><prod><cProd>{escape(sku or row["id_item"][:8])}</cProd><cEAN>{gtin}</cEAN>'
        f"<xProd>{escape(row['nome'])}</xProd><NCM>{ncm}</NCM><CFOP>5102</CFOP><uCom>{unit}</uCom>"
        f"<qCom>{quantity:.4f}</qCom><vUnCom>{price:.10f}</vUnCom><vProd>{worth:.2f}</vProd><cEANTrib>{gtin}</cEANTrib>"
        f"<uTrib>{unit}</uTrib><qTrib>{quantity:.4f}</qTrib><vUnTrib>{price:.10f}</vUnTrib>{extra}<indTot>1</indTot></prod>"
        "<imposto><ICMS><ICMSSN102><orig>0</orig><CSOSN>102</CSOSN></ICMSSN102></ICMS>"
        "<PIS><PISOutr><CST>49</CST><vBC>0.00</vBC><pPIS>0.00</pPIS><vPIS>0.00</vPIS></PISOutr></PIS>"
        "<COFINS><COFINSOutr><CST>49</CST><vBC>0.00</vBC><pCOFINS>0.00</pCOFINS><vCOFINS>0.00</vCOFINS></COFINSOutr></COFINS>"
        # The tax groups of 2026, which readers of older layouts do not know.
        f"<IBSCBS><CST>000</CST><cClassTrib>000001</cClassTrib><gIBSCBS><vBC>{base:.2f}</vBC><vIBS>0.00</vIBS>"
        "<gCBS><pCBS>0.90</pCBS><vCBS>0.00</vCBS></gCBS></gIBSCBS></IBSCBS></imposto></det>"
    )


def _total(draft: Draft) -> str:
    sale = draft.sale
    worth, freight, discount = sale.gross, money(sale.freight), sale.discount_value
    zeros = "".join(
        f"<{tag}>0.00</{tag}>" for tag in ("vBC", "vICMS", "vICMSDeson", "vFCP", "vBCST", "vST", "vFCPST", "vFCPSTRet")
    )
    return (
        f"<total><ICMSTot>{zeros}<vProd>{worth:.2f}</vProd><vFrete>{freight:.2f}</vFrete><vSeg>0.00</vSeg>"
        f"<vDesc>{discount:.2f}</vDesc><vII>0.00</vII><vIPI>0.00</vIPI><vIPIDevol>0.00</vIPIDevol><vPIS>0.00</vPIS>"
        f"<vCOFINS>0.00</vCOFINS><vOutro>0.00</vOutro><vNF>{sale.total:.2f}</vNF></ICMSTot>"
        f"<IBSCBSTot><vBCIBSCBS>{worth - discount:.2f}</vBCIBSCBS></IBSCBSTot></total>"
    )


def _other(sale: Sale) -> str:
    known = sale.payment["tipo_pagamento"] in _PAYMENTS
    return "" if known else f"<xPag>{escape(sale.payment['tipo_pagamento'])}</xPag>"


def _shares(sale: Sale, whole: Decimal) -> list[Decimal]:
    # The note's totals are the sums of its lines: the last line takes what rounding left over.
    gross, shares = sale.gross, list[Decimal]()
    for row in sale.itens[:-1]:
        shares.append((whole * line_total(row) / gross).quantize(CENT, ROUND_HALF_UP))
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
