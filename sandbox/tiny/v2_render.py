"""Products as API v2 shows them (`reference/tiny.md` §3.2, §3.3, §3.5)."""

from typing import Any

from sandbox.core.clock import local_text
from sandbox.tiny.product import Product
from sandbox.tiny.state import Deposit, Store, variations
from sandbox.tiny.values import Values

DATE_TIME = "%d/%m/%Y %H:%M:%S"


def search_row(product: Product, values: Values) -> dict[str, Any]:
    """A row of produtos.pesquisa (types of the published sample: id and numeric SKU as int, prices as text)."""
    return {
        "id": values.ident(product.id, int),
        "codigo": values.sku(product.codigo),
        "nome": product.nome,
        "preco": values.number(product.preco, product.casas),
        "preco_promocional": values.number(product.preco_promocional, product.casas),
        "preco_custo": values.number(product.preco_custo, 2),
        "preco_custo_medio": values.number(product.preco_custo_medio, 2),
        "unidade": product.unidade,
        "gtin": product.gtin,
        "tipoVariacao": product.tipoVariacao,
        "localizacao": product.localizacao,
        "situacao": product.situacao,
        "data_criacao": local_text(product.criado, DATE_TIME),
    }


def change_row(product: Product, at: float, values: Values) -> dict[str, Any]:
    """A row of lista.atualizacoes.produtos."""
    return {
        "id": values.ident(product.id, int),
        "codigo": values.sku(product.codigo),
        "nome": product.nome,
        "unidade": product.unidade,
        "preco": values.number(product.preco, product.casas),
        "data_alteracao": local_text(at, DATE_TIME),
    }


def stock_change_row(store: Store, product: Product, at: float, values: Values) -> dict[str, Any]:
    """A row of lista.atualizacoes.estoque; the figures are those of the moment it is read."""
    figures = stock_figures(store, product, values)
    return {
        "id": values.ident(product.id, int),
        "nome": product.nome,
        "codigo": values.sku(product.codigo),
        "unidade": product.unidade,
        "tipo_variacao": product.tipoVariacao,
        "localizacao": product.localizacao,
        "data_alteracao": local_text(at, DATE_TIME),
        **figures,
    }


def stock(store: Store, product: Product, values: Values) -> dict[str, Any]:
    """The body of produto.obter.estoque."""
    return {
        "id": values.ident(product.id, str),
        "codigo": values.sku_in_detail(product.codigo),
        "nome": product.nome,
        "unidade": product.unidade,
        **stock_figures(store, product, values),
    }


def stock_figures(store: Store, product: Product, values: Values) -> dict[str, Any]:
    """Balance of the deposits that count, reservation of the whole product, balance of every deposit (§3.5)."""
    rows = store.balances(product)
    return {
        "saldo": values.balance(sum(balance for deposit, balance, _ in rows if not deposit.ignored)),
        "saldoReservado": values.balance(sum(held for deposit, _, held in rows if not deposit.ignored)),
        "depositos": [{"deposito": _deposit(d, balance, values)} for d, balance, _ in rows],
    }


def structure(store: Store, product: Product, values: Values) -> dict[str, Any]:
    """The body of produto.obter.estrutura; its rows are bare and name the part `id_componente` or `id` (§3.6)."""
    key = "id" if values.variant in (1, 3) else "id_componente"
    rows = []
    for part_id, quantity in product.kit or product.estrutura:
        part = store.products.get(part_id)
        row: dict[str, Any] = {key: values.ident(part_id, int)}
        if part is not None:
            row |= {"codigo": values.sku_in_detail(part.codigo), "nome": part.nome}
        rows.append({**row, "quantidade": values.balance(quantity)})
    body = {
        "id": values.ident(product.id, int),
        "nome": product.nome,
        "codigo": values.sku_in_detail(product.codigo),
    }
    values.collection(body, "estrutura", rows, [])
    return body


def detail(store: Store, product: Product, values: Values) -> dict[str, Any]:
    """The body of produto.obter: no stock; variations without GTIN, weight or stock of their own (§3.3)."""
    number, places = values.number, product.casas
    row: dict[str, Any] = {
        "id": values.ident(product.id, str),
        "data_criacao": local_text(product.criado, DATE_TIME),
        "nome": product.nome,
        "codigo": values.sku_in_detail(product.codigo),
        "unidade": product.unidade,
        "preco": number(product.preco, places),
        "preco_promocional": number(product.preco_promocional, places),
        "ncm": product.ncm,
        "origem": product.origem,
        "gtin": product.gtin,
        "peso_liquido": number(product.peso_liquido, 3),
        "peso_bruto": number(product.peso_bruto, 3),
        "preco_custo": number(product.preco_custo, 2),
        "situacao": product.situacao,
        "tipo": product.tipo,
        "classe_produto": product.classe_produto,
        "descricao_complementar": product.descricao_complementar,
        "tipoVariacao": product.tipoVariacao,
        "idProdutoPai": values.ident(product.pai, str) if product.pai else "",
        "marca": product.marca,
        "tipoEmbalagem": product.tipo_embalagem,
        "alturaEmbalagem": number(product.altura_embalagem, 2),
        "larguraEmbalagem": number(product.largura_embalagem, 2),
        "comprimentoEmbalagem": number(product.comprimento_embalagem, 2),
        "categoria": product.categoria,
    }
    row |= _rare(product, values)
    if product.tipoVariacao == "V":
        row["grade"] = dict(product.grade)
    children = [{"variacao": _variation(child, values)} for child in variations(store, product)]
    values.collection(row, "variacoes", children, "")
    values.collection(row, "anexos", [{"anexo": url} for url in product.anexos], [])
    pictures = [{"imagem_externa": {"url": url}} for url in product.imagens_externas]
    values.collection(row, "imagens_externas", pictures, [])
    parts = [
        {"item": {"id_produto": values.ident(part_id, str), "quantidade": number(quantity, 2)}}
        for part_id, quantity in product.kit
    ]
    values.collection(row, "kit", parts, [])
    return row


def _rare(product: Product, values: Values) -> dict[str, Any]:
    number = values.number
    return {
        "gtin_embalagem": product.gtin_embalagem,
        "cest": product.cest,
        "localizacao": product.localizacao,
        "estoque_minimo": number(product.estoque_minimo, 2),
        "estoque_maximo": number(product.estoque_maximo, 2),
        "id_fornecedor": values.ident(product.id_fornecedor, int),
        "codigo_fornecedor": product.codigo_fornecedor,
        "codigo_pelo_fornecedor": product.codigo_pelo_fornecedor,
        "unidade_por_caixa": product.unidade_por_caixa,
        "preco_custo_medio": number(product.preco_custo_medio, 2),
        "classe_ipi": product.classe_ipi,
        "valor_ipi_fixo": number(product.valor_ipi_fixo, 0),
        "cod_lista_servicos": product.cod_lista_servicos,
        "obs": product.obs,
        "garantia": product.garantia,
        "sob_encomenda": product.sob_encomenda,
        "dias_preparacao": values.ident(product.dias_preparacao, str),
        "diametroEmbalagem": number(product.diametro_embalagem, 2),
        "qtd_volumes": values.ident(product.qtd_volumes, str),
        "seo_title": product.seo_title,
        "seo_keywords": product.seo_keywords,
        "seo_description": product.seo_description,
        "link_video": product.link_video,
        "slug": product.slug,
    }


def _variation(child: Product, values: Values) -> dict[str, Any]:
    return {
        "id": values.ident(child.id, str),
        "codigo": values.sku_in_detail(child.codigo),
        "preco": values.number(child.preco, 10),
        "grade": dict(child.grade),
    }


def _deposit(deposit: Deposit, balance: float, values: Values) -> dict[str, Any]:
    return {
        "nome": deposit.name,
        "desconsiderar": "S" if deposit.ignored else "N",
        "saldo": values.balance(balance),
        "empresa": deposit.company,
    }
