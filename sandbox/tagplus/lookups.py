"""What an account has from the start: payment forms, sellers, units, categories, taxes, cities (§6.6, §10)."""

from typing import Any

_STATES = {
    "AC": (12, "ACRE"), "AL": (27, "ALAGOAS"), "AM": (13, "AMAZONAS"), "AP": (16, "AMAPA"), "BA": (29, "BAHIA"),
    "CE": (23, "CEARA"), "DF": (53, "DISTRITO FEDERAL"), "ES": (32, "ESPIRITO SANTO"), "GO": (52, "GOIAS"),
    "MA": (21, "MARANHAO"), "MG": (31, "MINAS GERAIS"), "MS": (50, "MATO GROSSO DO SUL"), "MT": (51, "MATO GROSSO"),
    "PA": (15, "PARA"), "PB": (25, "PARAIBA"), "PE": (26, "PERNAMBUCO"), "PI": (22, "PIAUI"), "PR": (41, "PARANA"),
    "RJ": (33, "RIO DE JANEIRO"), "RN": (24, "RIO GRANDE DO NORTE"), "RO": (11, "RONDONIA"), "RR": (14, "RORAIMA"),
    "RS": (43, "RIO GRANDE DO SUL"), "SC": (42, "SANTA CATARINA"), "SE": (28, "SERGIPE"), "SP": (35, "SAO PAULO"),
    "TO": (17, "TOCANTINS"),
}  # fmt: skip
#: The 27 capitals, other big cities, and names that more than one state has.
_CITIES = (
    (1200401, "RIO BRANCO", "AC"), (2704302, "MACEIO", "AL"), (1302603, "MANAUS", "AM"), (1600303, "MACAPA", "AP"),
    (2927408, "SALVADOR", "BA"), (2304400, "FORTALEZA", "CE"), (5300108, "BRASILIA", "DF"), (3205309, "VITORIA", "ES"),
    (5208707, "GOIANIA", "GO"), (2111300, "SAO LUIS", "MA"), (3106200, "BELO HORIZONTE", "MG"),
    (5002704, "CAMPO GRANDE", "MS"), (5103403, "CUIABA", "MT"), (1501402, "BELEM", "PA"), (2507507, "JOAO PESSOA",
    "PB"),
    (2611606, "RECIFE", "PE"), (2211001, "TERESINA", "PI"), (4106902, "CURITIBA", "PR"),
    (3304557, "RIO DE JANEIRO", "RJ"), (2408102, "NATAL", "RN"), (1100205, "PORTO VELHO", "RO"),
    (3550308, "SAO PAULO", "SP"), (1400100, "BOA VISTA", "RR"), (4314902, "PORTO ALEGRE", "RS"),
    (4205407, "FLORIANOPOLIS", "SC"), (2800308, "ARACAJU", "SE"), (1721000, "PALMAS", "TO"),
    (3509502, "CAMPINAS", "SP"), (3548500, "SANTOS", "SP"), (3518800, "GUARULHOS", "SP"), (3534401, "OSASCO", "SP"),
    (3547809, "SANTO ANDRE", "SP"), (3548708, "SAO BERNARDO DO CAMPO", "SP"), (3549904, "SAO JOSE DOS CAMPOS", "SP"),
    (3543402, "RIBEIRAO PRETO", "SP"), (3552205, "SOROCABA", "SP"), (3303302, "NITEROI", "RJ"),
    (4209102, "JOINVILLE", "SC"), (4202404, "BLUMENAU", "SC"), (4216602, "SAO JOSE", "SC"), (4113700, "LONDRINA", "PR"),
    (4115200, "MARINGA", "PR"), (4117602, "PALMAS", "PR"), (4104808, "CASCAVEL", "PR"), (2303501, "CASCAVEL", "CE"),
    (4305108, "CAXIAS DO SUL", "RS"), (4316907, "SANTA MARIA", "RS"), (3170206, "UBERLANDIA", "MG"),
    (3118601, "CONTAGEM", "MG"), (3136702, "JUIZ DE FORA", "MG"), (3205200, "VILA VELHA", "ES"),
    (2910800, "FEIRA DE SANTANA", "BA"), (2701506, "CAMPO GRANDE", "AL"), (5201405, "APARECIDA DE GOIANIA", "GO"),
)  # fmt: skip
COUNTRY = {"id": 1, "codigo": 1058, "nome": "BRASIL"}
#: Ids of cities start here: they are no IBGE codes.
FIRST_CITY = 9101
#: The ERP user every token acts for, and a second seller.
USER_ID, USER_ENTITY = 4, 602


def _state(uf: str) -> dict[str, Any]:
    code, name = _STATES[uf]
    return {"id": list(_STATES).index(uf) + 1, "codigo": code, "sigla": uf, "nome": name}


def _payment(text: str, base: int, tpag: str, kind: int, most: int, active: int = 1) -> dict[str, Any]:
    return {
        "descricao": text, "ativo": active, "forma_pagamento_base": base, "forma_pagamento_base_tpag": tpag,
        "indicador_forma_pagamento": "0" if most == 1 else "1", "tipo": kind, "qtd_max_parcelas": most,
        "intervalo_entre_parcelas": 30, "confirmacao_financeiro": 0, "is_tagpix": False, "juros_loja": 0,
        "nome_inf1": None, "nome_inf2": None, "nome_inf3": None, "vinculo": False, "conta_bancaria": None,
        # Secrets of payment gateways come with this answer (§10); these open nothing.
        "picpay_token": "sandbox-picpay-token", "client_id_gerencianet": "sandbox-gerencianet",
        "client_secret_gerencianet": "sandbox-gerencianet-secret", "pix_chave": None,
    }  # fmt: skip


def _user(name: str, row_id: int, entity: int, active: bool = True) -> dict[str, Any]:
    return {
        "id": row_id, "id_entidade": entity, "nome": name, "ativo": active, "login": name.split(" ",
        maxsplit=1)[0].lower(),
        "email_principal": f"{name.split(' ', maxsplit=1)[0].lower()}@loja.example", "cpf": None, "cnpj": None,
        "sexo": "F",
        "perfil_acesso": {"id": 1, "perfil": "Vendas", "opcoes_erp": ""},
        "departamento": {"id": 1, "descricao": "GERAL"}, "categoria": None, "comissao": 0,
        "usuario_master": False, "possui_vinculo": True,
    }  # fmt: skip


#: Path → rows; their ids count from 1 unless they name one.
TABLES: dict[str, list[dict[str, Any]]] = {
    "formas_pagamento": [
        _payment("Dinheiro", 1, "01", 0, 1),
        _payment("Cartão de débito", 2, "04", 1, 1),
        _payment("PIX", 15, "17", 0, 1),
        _payment("Cartão de crédito", 3, "03", 1, 12),
        _payment("Boleto", 8, "15", 2, 6),
        _payment("Transferência", 16, "18", 0, 1),
        _payment("Outros", 19, "99", 3, 1),
        _payment("Cheque antigo", 4, "02", 0, 1, active=0),
    ],
    "usuarios": [
        _user("Vendedora Inventada", USER_ID, USER_ENTITY),
        _user("Segundo Vendedor", 5, 603),
        _user("Antigo Vendedor", 6, 601, active=False),
    ],
    "departamentos": [{"descricao": "GERAL"}, {"descricao": "LOJA VIRTUAL"}],
    "categorias": [
        {"descricao": "Geral", "localizacao": "", "tipo": "P", "categoria_mae": None},
        {"descricao": "Roupas", "localizacao": "", "tipo": "P", "categoria_mae": None},
        {"descricao": "Instalação", "localizacao": "", "tipo": "S", "categoria_mae": None},
    ],
    "unidades": [
        {"sigla": sigla, "descricao": text, "fracionado": part, "padrao": sigla == "UN", "vinculado": False}
        for sigla, text, part in (
            ("UN", "Unidade", False), ("KG", "Quilograma", True), ("PC", "Peça", False), ("CX", "Caixa", False),
            ("PAR", "Par", False), ("MT", "Metro", True), ("LT", "Litro", True), ("KIT", "Kit", False),
        )
    ],
    "tipos_contatos": [
        {"descricao": "Telefone", "tipo": "T", "vinculado": True},
        {"descricao": "E-mail", "tipo": "E", "vinculado": True},
        {"descricao": "Celular", "tipo": "T", "vinculado": True},
        {"descricao": "Site", "tipo": "O", "vinculado": False},
    ],
    "tipos_cadastros": [{"descricao": "Comercial"}, {"descricao": "Residencial"}, {"descricao": "Entrega"}],
    "tributos_ncm": [
        {"ncm": "61091000", "descricao": "Camisetas de algodão", "nfce": {}, "tributo_detalhe": []},
        {"ncm": "69120000", "descricao": "Louça de cerâmica", "nfce": {}, "tributo_detalhe": []},
    ],
    "tipos_valor_venda": [
        {"nome": "Varejo", "padrao": True, "lucro": 100}, {"nome": "Atacado", "padrao": False, "lucro": 50},
    ],
    "modalidades_grade": [
        {"descricao": "Tamanho", "id_modalidade": None, "tipo": "M", "has_vinculo": False},
        {"descricao": "P", "id_modalidade": "1", "tipo": "G", "has_vinculo": False},
        {"descricao": "M", "id_modalidade": "1", "tipo": "G", "has_vinculo": False},
        {"descricao": "G", "id_modalidade": "1", "tipo": "G", "has_vinculo": False},
        {"descricao": "Cor", "id_modalidade": None, "tipo": "M", "has_vinculo": False},
        {"descricao": "Azul", "id_modalidade": "5", "tipo": "G", "has_vinculo": False},
        {"descricao": "Preta", "id_modalidade": "5", "tipo": "G", "has_vinculo": False},
    ],
    "categorias_entidade": [{"descricao": "Loja virtual"}],
    "cidades": [
        {"id": FIRST_CITY + at, "codigo": code, "nome": name, "estado": _state(uf)}
        for at, (code, name, uf) in enumerate(_CITIES)
    ],
}  # fmt: skip

#: The permissions of the ERP user that the API speaks of (§5); all others are true too.
PERMISSIONS = (
    "alterar_numero_controle_pedido_venda", "alterar_numero_controle_ajuste_estoque",
    "alterar_data_criacao_movimentacoes", "alterar_data_confirmacao_movimentacoes",
    "alterar_vendedor_vinculado_cliente", "alterar_estoque_produto", "funcionario_visualizar_valores_custos",
    "funcionario_permissao_modificar_valor_unitario", "funcionario_selecionar_valores_venda",
    "funcionario_permissao_data_conf", "funcionario_permissao_data_lanc", "funcionario_permissao_estorno",
    "funcionario_bloquear_cancelar_confirmacao", "bloquear_limite_credito", "acesso_financeiro", "alterar_numero_nfe",
)  # fmt: skip
#: Other names the control API takes for permissions, after the error codes.
PERMISSION_ALIASES = {
    "estornar_pedido": "funcionario_permissao_estorno",
    "alterar_valor_unitario": "funcionario_permissao_modificar_valor_unitario",
}
