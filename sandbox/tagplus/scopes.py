"""Scopes: what a token may read and write (§2.2)."""

_BOTH = """
    acompanhamento_notas ajustes_estoque arquivos autosuggests avisos avisos_email bancos boletos
    categorias categorias_entidade cfops clientes configuracoes contas dashboard departamentos empresas
    enderecos enderecos_entidades etiquetas financeiros formas_pagamento formas_pagamento_base
    fornecedores importacoes importacoes_exportacoes intermediadores me modalidades_grade movimentacoes
    nfces nfes nfses notas_fiscais_entrada operacoes_interestaduais os paises pedidos pedidos_compra
    planos_orcamentarios pre_vendas produtos registro_atividades relatorio_comercial relatorio_entidade
    relatorio_estoque relatorio_financeiro relatorio_funcionario_log relatorio_inventario
    relatorio_produtos_servicos sats servicos status_atividades_os tabela_servicos tipos_cadastros
    tipos_contatos tipos_valor_venda transportadoras tributos_ncm tributos_referencia trocas_devolucoes
    unidades usuarios vales vendas vendas_simples visualiza_caixas webhooks webhooks_eventos
"""
_READ_ONLY = "cidades contratos saldos"
ALL_SCOPES = frozenset(
    {f"read:{name}" for name in (*_BOTH.split(), *_READ_ONLY.split())} | {f"write:{name}" for name in _BOTH.split()}
)


def split_scopes(text: str) -> list[str]:
    """Read a scope parameter: separated by spaces or plus signs."""
    return text.replace("+", " ").split()


def allows(granted: frozenset[str], method: str, resource: str) -> bool:
    """Tell whether scopes let a call through; writing includes reading."""
    return f"write:{resource}" in granted or (method == "GET" and f"read:{resource}" in granted)
