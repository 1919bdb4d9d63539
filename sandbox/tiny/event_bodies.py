"""`dados` of the webhooks (`reference/tiny.md` §6.1, §6.2, published samples)."""

import zlib
from typing import Any

from sandbox.core.clock import local_text
from sandbox.tiny.integrations import MappingRow
from sandbox.tiny.product import Product
from sandbox.tiny.records import Invoice, Order, masked
from sandbox.tiny.situations import TEXTS
from sandbox.tiny.state import Store, variations
from sandbox.tiny.tables import SHIPPING, by_code

LINK = "https://erp.tiny.com.br/doc.view?id="


def day(iso: str) -> str:
    """Write an ISO day as dd/mm/yyyy; "" stays."""
    return f"{iso[8:10]}/{iso[5:7]}/{iso[:4]}" if iso else ""


def number(value: float) -> float | int:
    """Write a whole number as one."""
    return int(value) if value == int(value) else value


def order(row: Order) -> dict[str, Any]:
    """inclusao_pedido and atualizacao_pedido."""
    form = by_code(SHIPPING, row.shipping)
    return {
        "id": row.id,
        "numero": row.number,
        "data": day(row.date),
        "idPedidoEcommerce": row.shop_number,
        "codigoSituacao": row.situation,
        "descricaoSituacao": TEXTS[row.situation][0],
        "idContato": row.contact_id,
        "idNotaFiscal": row.invoice_id,
        "nomeEcommerce": row.shop_name,
        "formaEnvio": {"id": 0 if form is None else form.id, "descricao": "" if form is None else form.name},
        "cliente": {"nome": row.client.get("nome", ""), "cpfCnpj": masked(row.client.get("cpf_cnpj", ""))},
    }


def situation(row: Order) -> dict[str, Any]:
    """situacao_pedido."""
    return {
        "idPedidoEcommerce": row.shop_number,
        "idVendaTiny": row.id,
        "situacao": row.situation,
        "descricaoSituacao": TEXTS[row.situation][0],
    }


def tracking(row: Order) -> dict[str, Any]:
    """rastreio 1.0.1."""
    return {
        "idEntregaEcommerce": "",
        "idVendaTiny": row.id,
        "idNotaFiscalTiny": row.invoice_id,
        "idPedidoEcommerce": row.shop_number,
        "codigoRastreio": row.tracking,
        "urlRastreio": row.tracking_url,
        "transportadora": row.carrier,
        "formaEnvio": row.shipping,
        "formaFrete": row.freight_kind,
    }


def invoice(note: Invoice) -> dict[str, Any]:
    """nota_fiscal, of both families."""
    return {
        "chaveAcesso": note.key,
        "numero": str(note.number),
        "serie": str(note.series),
        "urlDanfe": link(note),
        "idPedidoEcommerce": note.sale.shop_number,
        "dataEmissao": local_text(note.issued_at or note.created_at, "%d/%m/%Y"),
        "valorNota": float(note.sale.total),
        "idNotaFiscalTiny": note.id,
    }


def link(note: Invoice) -> str:
    """Return the address of the DANFE page; nothing answers there."""
    return f"{LINK}{zlib.crc32(str(note.id).encode()):08x}{note.id:x}"


def account_stock(product: Product, balance: float) -> dict[str, Any]:
    """estoque of the account family."""
    return {"idProduto": product.id, "sku": product.codigo, "nome": product.nome, "saldo": number(balance)}


def shop_stock(
    product: Product, kind: str, balance: float, row: MappingRow, parent: MappingRow | None
) -> dict[str, Any]:
    """estoque of the e-commerce family."""
    return {
        "tipoEstoque": kind,
        "saldo": number(balance),
        "idProduto": product.id,
        "sku": product.codigo,
        "skuMapeamento": row.sku,
        "skuMapeamentoPai": "" if parent is None else parent.sku,
    }


def prices(product: Product, row: MappingRow, parent: MappingRow | None) -> dict[str, Any]:
    """precos."""
    return {
        "idMapeamento": row.id,
        "skuMapeamento": row.sku,
        "skuMapeamentoPai": "" if parent is None else parent.sku,
        "preco": f"{product.preco:.2f}",
        "precoPromocional": f"{product.preco_promocional:.2f}",
    }


def product(store: Store, row: Product, mappings: dict[int, MappingRow]) -> dict[str, Any]:
    """Produto: no wrappers, camelCase, ids as texts, the grid as a list."""
    return {
        "id": str(row.id),
        "idMapeamento": str(mappings[row.id].id),
        "skuMapeamento": mappings[row.id].sku,
        "nome": row.nome,
        "codigo": row.codigo,
        "unidade": row.unidade,
        "preco": f"{row.preco:.4f}",
        "precoPromocional": f"{row.preco_promocional:.4f}",
        "ncm": row.ncm,
        "origem": row.origem,
        "gtin": row.gtin,
        "gtinEmbalagem": row.gtin_embalagem,
        "localizacao": row.localizacao,
        "pesoLiquido": f"{row.peso_liquido:.3f}",
        "pesoBruto": f"{row.peso_bruto:.3f}",
        "estoqueMinimo": f"{row.estoque_minimo:.2f}",
        "estoqueMaximo": f"{row.estoque_maximo:.2f}",
        "idFornecedor": str(row.id_fornecedor),
        "codigoFornecedor": row.codigo_fornecedor,
        "codigoPeloFornecedor": row.codigo_pelo_fornecedor,
        "unidadePorCaixa": row.unidade_por_caixa,
        "estoqueAtual": _stock(store, row),
        "precoCusto": f"{row.preco_custo:.4f}",
        "precoCustoMedio": f"{row.preco_custo_medio:.4f}",
        "situacao": row.situacao,
        "descricaoComplementar": row.descricao_complementar,
        "obs": row.obs,
        "garantia": row.garantia,
        "cest": row.cest,
        "sobEncomenda": row.sob_encomenda,
        "marca": row.marca,
        "tipoEmbalagem": row.tipo_embalagem,
        "alturaEmbalagem": f"{row.altura_embalagem:.1f}",
        "larguraEmbalagem": f"{row.largura_embalagem:.1f}",
        "comprimentoEmbalagem": f"{row.comprimento_embalagem:.1f}",
        "diametroEmbalagem": f"{row.diametro_embalagem:.1f}",
        "classeProduto": row.classe_produto,
        **_category(row.categoria),
        "variacoes": [_variation(store, child, mappings) for child in variations(store, row)],
        "anexos": [_picture(url) for url in (*row.anexos, *row.imagens_externas)],
        "seo": {
            "title": row.seo_title,
            "description": row.seo_description,
            "keywords": row.seo_keywords,
            "linkVideo": row.link_video,
            "slug": row.slug,
        },
        "kit": [{"id": part, "quantidade": number(quantity)} for part, quantity in row.kit],
        "diasPreparacao": str(row.dias_preparacao),
    }


def _variation(store: Store, child: Product, mappings: dict[int, MappingRow]) -> dict[str, Any]:
    return {
        "id": str(child.id),
        "idMapeamento": str(mappings[child.id].id),
        "skuMapeamento": mappings[child.id].sku,
        "codigo": child.codigo,
        "gtin": child.gtin,
        "preco": f"{child.preco:.4f}",
        "precoPromocional": f"{child.preco_promocional:.4f}",
        "estoqueAtual": _stock(store, child),
        "grade": [{"chave": axis, "valor": value} for axis, value in child.grade.items()],
        "anexos": [_picture(url) for url in child.anexos],
    }


def _stock(store: Store, row: Product) -> float | int:
    return number(sum(balance for d, balance, _ in store.balances(row) if not d.ignored))


def _picture(url: str) -> dict[str, str]:
    name = url.rsplit("/", 1)[-1]
    return {"url": url, "nome": name, "tipo": name.rsplit(".", 1)[-1] if "." in name else ""}


def _category(path: str) -> dict[str, Any]:
    names = path.split(" >> ") if path else []
    rows, above = [], 0
    for at, name in enumerate(names):
        ident = zlib.crc32(" >> ".join(names[: at + 1]).encode()) % 900_000 + 1_000
        whole = " > ".join(names[: at + 1])
        rows.append(
            {"id": str(ident), "idPai": str(above) if above else 0, "descricao": name, "descricaoCompleta": whole}
        )
        above = ident
    return {
        "idCategoria": rows[-1]["id"] if rows else "0",
        "descricaoCategoria": names[-1] if names else "",
        "descricaoArvoreCategoria": " > ".join(names),
        "arvoreCategoria": rows,
    }
