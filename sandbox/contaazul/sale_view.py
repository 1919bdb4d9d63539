"""How sales show: after creation in English, by id and in the search in Portuguese (`reference/contaazul.md` §6)."""

from typing import Any

from sandbox.contaazul.records import Sale
from sandbox.contaazul.sale_body import client_of
from sandbox.contaazul.store import Store
from sandbox.contaazul.times import local_millis

_WORDS = {
    "EM_ANDAMENTO": "Em andamento", "APROVADO": "Aprovado", "FATURADO": "Faturado", "CANCELADO": "Cancelado",
    "ORCAMENTO": "Orçamento", "ORCAMENTO_ACEITO": "Orçamento aceito", "ORCAMENTO_RECUSADO": "Orçamento recusado",
}  # fmt: skip
_ENGLISH = {"EM_ANDAMENTO": "IN_PROCESS", "APROVADO": "APPROVED"}
_STATUS = {"ORCAMENTO": "EM_ORCAMENTO", "CANCELADO": "CANCELADO"}
SITUATIONS = tuple(_WORDS)


def created(sale: Sale) -> dict[str, Any]:
    """Return what POST /v1/venda answers."""
    return {
        "id": sale.id,
        "id_legado": sale.id_legado,
        "id_cliente": sale.id_cliente,
        "numero": sale.numero,
        "origem": sale.origem,
        "id_categoria": sale.id_categoria,
        "data_venda": f"{sale.data_venda}T00:00:00Z",
        "situacao": {"nome": _ENGLISH.get(sale.situacao, sale.situacao), "descricao": _WORDS[sale.situacao]},
        "pendencia": _pendency(sale),
        "valor_composicao": {
            "valor_bruto": float(sale.gross),
            "desconto": sale.discount,
            "frete": sale.freight,
            "valor_liquido": float(sale.total),
        },
        "condicao_pagamento": {
            **{k: v for k, v in sale.payment.items() if k != "parcelas"},
            "parcelas": [{k: v for k, v in row.items() if k != "id"} for row in sale.payment["parcelas"]],
            "observacoes_pagamento": sale.observacoes_pagamento,
            "troco_total": 0.0,
        },
        "observacoes": sale.observacoes,
        "id_vendedor": sale.id_vendedor,
        "versao": sale.versao,
    }


def detail(store: Store, sale: Sale) -> dict[str, Any]:
    """Return what GET /v1/venda/{id} answers: no items; a deleted sale keeps its situation (§6.5)."""
    who = client(store, sale)
    seller = next((s for s in store.lookups.sellers if s["id"] == sale.id_vendedor), None)
    return {
        "cliente": {
            "uuid": who["uuid"],
            "tipo_pessoa": who["tipo_pessoa"],
            "documento": who["documento"],
            "nome": who["nome"],
        },
        "evento_financeiro": None if sale.event_id is None else {"id": sale.event_id},
        "notificacao": None,
        "natureza_operacao": _nature(store, sale),
        "venda": _negotiation(store, sale),
        "vendedor": None if seller is None else {"id": seller["id"], "nome": seller["nome"]},
        "contrato": None,
    }


def row(store: Store, sale: Sale) -> dict[str, Any]:
    """Return a sale as the search lists it."""
    who = client(store, sale)
    address = who["endereco"]
    return {
        "id": sale.id,
        "id_legado": sale.id_legado,
        "numero": sale.numero,
        "total": float(sale.total),
        "data": sale.data_venda,
        "criado_em": local_millis(sale.created_at),
        "data_alteracao": local_millis(sale.changed_at),
        "tipo": sale.tipo,
        "itens": "PRODUTO",
        "condicao_pagamento": bool(sale.payment["parcelas"]),
        "cliente": {
            "id": who["uuid"],
            "nome": who["nome"],
            "email": who["email"],
            "telefone": who["telefone"],
            "endereco": ", ".join(filter(None, (address.get("logradouro"), address.get("numero")))),
            "cidade": address.get("cidade") or "",
            "estado": address.get("estado") or "",
            "pais": address.get("pais") or "",
            "cep": address.get("cep") or "",
        },
        "situacao": {"nome": sale.situacao, "descricao": _WORDS[sale.situacao]},
        "versao": sale.versao,
        "status_email": None,
        "id_contrato": None,
        "origem": sale.origem,
    }


def item(line: dict[str, Any]) -> dict[str, Any]:
    """Return an item as GET /v1/venda/{id}/itens lists it."""
    names = ("id", "id_item", "nome", "descricao", "tipo", "quantidade", "valor", "custo")
    return {**{name: line[name] for name in names}, "id_centro_custo": None}


def client(store: Store, sale: Sale) -> dict[str, Any]:
    """Return the client of a sale as it is now, or as it was when it is gone."""
    person = store.people.rows.get(sale.id_cliente)
    return sale.client if person is None else client_of(person)


def pending(sale: Sale) -> bool:
    """Tell whether a sale has something pending."""
    return bool(_pendency(sale)["nome"] != "NENHUMA")


def stored(store: Store, sale: Sale) -> dict[str, Any]:
    """Return everything that is kept of a sale, for the control API."""
    body = {
        name: getattr(sale, name)
        for name in Sale.__slots__
        if name not in ("client", "created_at", "changed_at", "amounts")
    }
    return {
        **body,
        "cliente": client(store, sale),
        "itens": list(sale.itens),
        "valor_bruto": float(sale.gross),
        "valor_desconto": float(sale.discount_value),
        "total": float(sale.total),
        "criado_em": local_millis(sale.created_at),
        "data_alteracao": local_millis(sale.changed_at),
        "chaves_nfe": [note.chave for note in store.notes.get(sale.id, ())],
    }


def _negotiation(store: Store, sale: Sale) -> dict[str, Any]:
    discount = sale.discount or {"tipo": "VALOR", "valor": 0.0}
    status = "CANCELADO" if sale.deleted else _STATUS.get(sale.situacao, "EM_ANDAMENTO")
    return {
        "id": sale.id,
        "status": sale.situacao if sale.situacao.startswith("ORCAMENTO_") and not sale.deleted else status,
        "id_legado": sale.id_legado,
        "tipo_negociacao": "VENDA",
        "numero": sale.numero,
        "id_categoria": sale.id_categoria,
        "data_compromisso": sale.data_venda,
        "configuracao_de_desconto": {"tipo_desconto": discount["tipo"], "taxa_desconto": discount["valor"]},
        "composicao_valor": {
            "valor_bruto": float(sale.gross),
            "desconto": float(sale.discount_value),
            "frete": sale.freight,
            "impostos": 0.0,
            "impostos_deduzidos": 0.0,
            "seguro": 0.0,
            "despesas_incidentais": 0.0,
            "valor_liquido": float(sale.total),
        },
        "condicao_pagamento": {
            **{k: v for k, v in sale.payment.items() if k != "id_legado"},
            "pagamento_a_vista": sale.payment["opcao_condicao_pagamento"] == "À vista",
            "observacoes_pagamento": sale.observacoes_pagamento,
            "pagamento_cartao": None,
        },
        "total_itens": {"contagem_produtos": len(sale.itens), "contagem_servicos": 0, "contagem_nao_conciliados": 0},
        "observacoes": sale.observacoes,
        "id_cliente": sale.id_cliente,
        "versao": sale.versao,
        "tipo_pendencia": _pendency(sale),
        "situacao": {"nome": sale.situacao, "descricao": _WORDS[sale.situacao], "ativado": True},
        "id_natureza_operacao": _nature(store, sale)["uuid"],
        "id_centro_custo": sale.id_centro_custo,
        "introducao": "",
        "origem": sale.origem,
    }


def _nature(store: Store, sale: Sale) -> dict[str, Any]:
    natures: list[dict[str, Any]] = store.lookups.natures
    return next((n for n in natures if n["uuid"] == sale.id_natureza_operacao), natures[0])


def _pendency(sale: Sale) -> dict[str, str]:
    if sale.situacao == "APROVADO" and not sale.deleted:
        return {"nome": "AGUARDANDO_GERACAO_NOTA_FISCAL", "descricao": "Aguardando geração da nota fiscal"}
    return {"nome": "NENHUMA", "descricao": "Nenhuma"}
