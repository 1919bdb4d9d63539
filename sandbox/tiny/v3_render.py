"""Products as API v3 shows them (`reference/tiny.md` §5.2, Tiny's OpenAPI file)."""

import zlib
from typing import Any

from sandbox.core.clock import local_text
from sandbox.tiny.product import Product
from sandbox.tiny.state import Store, variations

DATE_TIME = "%Y-%m-%d %H:%M:%S"
_PACKAGES = {"0": "Não definida", "1": "Envelope", "2": "Caixa", "3": "Cilindro"}


def row(product: Product, messy: bool) -> dict[str, Any]:
    """A row of GET /produtos; messy rows use the nulls and zero dates of §4.3."""
    changed = None if product.alterado is None else local_text(product.alterado, DATE_TIME)
    return {
        "id": product.id,
        "sku": product.codigo,
        "descricao": product.nome,
        "tipo": product.classe_produto,
        "situacao": product.situacao,
        "dataCriacao": local_text(product.criado, DATE_TIME),
        "dataAlteracao": "0000-00-00 00:00:00" if messy and changed is None else changed,
        "unidade": product.unidade,
        "gtin": product.gtin,
        "precos": prices(product, messy),
        "estoque": {"localizacao": product.localizacao or (None if messy else "")},
        "tipoVariacao": product.tipoVariacao,
    }


def prices(product: Product, messy: bool) -> dict[str, Any]:
    """The group `precos`; in messy runs 0 is null (every figure is nullable)."""
    figures = {
        "preco": product.preco,
        "precoPromocional": product.preco_promocional,
        "precoCusto": product.preco_custo,
        "precoCustoMedio": product.preco_custo_medio,
    }
    return {name: None if messy and not value else value for name, value in figures.items()}


def detail(store: Store, product: Product, messy: bool) -> dict[str, Any]:
    """The body of GET /produtos/{id}; unlike v2 the variations carry price, stock and GTIN."""
    parent = store.products.get(product.pai)
    pictures = [{"url": url, "externo": False} for url in product.anexos]
    pictures += [{"url": url, "externo": True} for url in product.imagens_externas]
    return {
        "id": product.id,
        "sku": product.codigo,
        "descricao": product.nome,
        "descricaoComplementar": product.descricao_complementar,
        "tipo": product.classe_produto,
        "situacao": product.situacao,
        "produtoPai": None if parent is None else _reference(parent),
        "unidade": product.unidade,
        "unidadePorCaixa": product.unidade_por_caixa,
        "ncm": product.ncm,
        "gtin": product.gtin,
        "origem": product.origem,
        "garantia": product.garantia,
        "observacoes": product.obs,
        "categoria": _category(product.categoria, messy),
        "marca": _named(product.marca, messy),
        "dimensoes": _dimensions(product),
        "precos": prices(product, messy),
        "estoque": _stock_settings(store, product),
        "fornecedores": _suppliers(product),
        "seo": {
            "titulo": product.seo_title,
            "descricao": product.seo_description,
            "keywords": [word.strip() for word in product.seo_keywords.split(",") if word.strip()],
            "linkVideo": product.link_video,
            "slug": product.slug,
        },
        "tributacao": {
            "gtinEmbalagem": product.gtin_embalagem,
            "valorIPIFixo": product.valor_ipi_fixo,
            "classeIPI": product.classe_ipi,
        },
        "anexos": pictures,
        "variacoes": [_variation(store, child, messy) for child in variations(store, product)],
        "kit": parts(store, product.kit),
        "producao": (
            {"produtos": parts(store, product.estrutura), "etapas": list(product.etapas)}
            if product.classe_produto == "F"
            else None
        ),
        "codigoListaServicos": product.cod_lista_servicos,
        "tipoVariacao": product.tipoVariacao,
    }


def parts(store: Store, pairs: tuple[tuple[int, float], ...]) -> list[dict[str, Any]]:
    """The bare array of GET /produtos/{id}/kit; parts that no longer exist are left out."""
    return [
        {"produto": _reference(store.products[part_id]), "quantidade": quantity}
        for part_id, quantity in pairs
        if part_id in store.products
    ]


def stock(store: Store, product: Product) -> dict[str, Any]:
    """The body of GET /estoque/{id}: per deposit balance, reserved, available (§5.2)."""
    rows = store.balances(product)
    balance = sum(b for d, b, _ in rows if not d.ignored)
    reserved = sum(r for d, _, r in rows if not d.ignored)
    return {
        "id": product.id,
        "nome": product.nome,
        "codigo": product.codigo,
        "unidade": product.unidade,
        "saldo": balance,
        "reservado": reserved,
        "disponivel": balance - reserved,
        "localizacao": product.localizacao,
        "depositos": [
            {
                "id": d.id,
                "nome": d.name,
                "desconsiderar": d.ignored,
                "saldo": b,
                "reservado": r,
                "disponivel": b - r,
                "empresa": d.company,
            }
            for d, b, r in rows
        ],
    }


def _reference(product: Product) -> dict[str, Any]:
    return {"id": product.id, "sku": product.codigo, "descricao": product.nome, "tipo": product.tipo}


def _category(path: str, messy: bool) -> dict[str, Any] | None:
    if not path:
        return None if messy else {"id": 0, "nome": "", "caminhoCompleto": ""}
    names = path.split(" >> ")
    return {"id": _number(path), "nome": names[-1], "caminhoCompleto": " > ".join(names)}


def _named(name: str, messy: bool) -> dict[str, Any] | None:
    if not name:
        return None if messy else {"id": 0, "nome": ""}
    return {"id": _number(name), "nome": name}


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) % 900_000 + 1_000


def _dimensions(product: Product) -> dict[str, Any]:
    kind = product.tipo_embalagem
    return {
        "embalagem": {
            "id": int(kind) if kind.isdigit() else 0,
            "tipo": int(kind) if kind in _PACKAGES else 0,
            "descricao": _PACKAGES.get(kind, ""),
        },
        "largura": product.largura_embalagem,
        "altura": product.altura_embalagem,
        "comprimento": product.comprimento_embalagem,
        "diametro": product.diametro_embalagem,
        "pesoLiquido": product.peso_liquido,
        "pesoBruto": product.peso_bruto,
        "quantidadeVolumes": product.qtd_volumes,
    }


def _stock_settings(store: Store, product: Product) -> dict[str, Any]:
    # `quantidade` of a kit is no use, integrators read `disponivel` of GET /estoque instead (§5.2 [R]).
    counts = product.classe_produto != "K"
    quantity = sum(b for d, b, _ in store.balances(product) if not d.ignored) if counts else 0.0
    return {
        "controlar": product.tipo != "S",
        "sobEncomenda": product.sob_encomenda == "S",
        "diasPreparacao": product.dias_preparacao,
        "localizacao": product.localizacao,
        "minimo": product.estoque_minimo,
        "maximo": product.estoque_maximo,
        "quantidade": quantity,
    }


def _suppliers(product: Product) -> list[dict[str, Any]]:
    if not product.id_fornecedor:
        return []
    return [
        {
            "id": product.id_fornecedor,
            "nome": f"Fornecedor {product.id_fornecedor}",
            "codigoProdutoNoFornecedor": product.codigo_pelo_fornecedor,
        }
    ]


def _variation(store: Store, child: Product, messy: bool) -> dict[str, Any]:
    return {
        "id": child.id,
        "descricao": child.nome,
        "sku": child.codigo,
        "gtin": child.gtin,
        "precos": prices(child, messy),
        "estoque": _stock_settings(store, child),
        "grade": [{"chave": axis, "valor": value} for axis, value in child.grade.items()],
    }
