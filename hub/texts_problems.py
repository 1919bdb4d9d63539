"""What can be wrong with a field, as the merchant reads it: by what is wrong, and by the field."""

ODD = "o valor “{received}” não pode ser usado; confira o campo"

PROBLEMS = {
    # field.reason, or one of the two as *
    "gtin.check_digit": (
        "o dígito verificador não confere em “{received}”; copie o código da embalagem outra vez, ou deixe o campo "
        "vazio se o produto não tem GTIN"
    ),
    "gtin.length": (
        "“{received}” não tem 8, 12, 13 nem 14 números; confira se um zero do começo se perdeu numa planilha, ou deixe "
        "o campo vazio"
    ),
    "gtin.characters": "“{received}” tem letras ou sinais; use só os números do código, ou deixe o campo vazio",
    "gtin.repeated": "“{received}” só tem zeros; deixe o campo vazio se o produto não tem GTIN",
    "gtin.ambiguous": (
        "mais de um produto da loja tem o GTIN {received} (entre parênteses, os códigos SKU deles); deixe o GTIN em um "
        "só, ou dê a este produto o mesmo SKU do produto certo"
    ),
    "name.empty": "está vazio; escreva o nome do produto",
    "name.too_long": "tem mais de 400 letras; encurte-o (começa com “{received}”)",
    "sku.repeated": (
        "{received}: outro produto já usa este código (entre parênteses, o número do outro produto); dê a cada produto "
        "um código só dele"
    ),
    "sku.too_long": "tem mais de 60 letras; encurte-o (começa com “{received}”)",
    "ncm.length": "“{received}” não tem 8 números; escreva o NCM completo, ou deixe o campo vazio",
    "ncm.characters": "“{received}” tem letras ou sinais; escreva só os 8 números, ou deixe o campo vazio",
    "active.unknown_code": "a situação “{received}” não é conhecida; deixe o produto como ativo ou inativo",
    "external_id.missing": "veio sem número de identificação; abra o cadastro no sistema de origem e salve-o de novo",
    "kit.quantity": "a quantidade de um componente é {number}; ela tem de ser maior que zero",
    "kit.incomplete": "um componente está sem produto ou sem quantidade; abra a composição do kit e complete-o",
    "physical.missing": "o saldo não foi informado; lance um saldo para o produto, ainda que seja zero",
    "details.*": "{system} não mostrou este registro e respondeu: “{received}”",
    "record.broken": (
        "a Esteira não conseguiu preparar este registro (erro interno {received}); fale com o suporte da Esteira"
    ),
    "answer.*": "{system} recusou este registro e respondeu: “{received}”",
    "list_price.rounds_to_zero": "com o ajuste desta conexão, {received} vira zero; aumente o preço ou o ajuste",
    "list_price.missing": "falta o preço, ou ele é zero; escreva o preço de venda na loja",
    "product.parent": "é o produto pai de variações; quem se vende e se envia são as variações",
    "product.inactive": "está inativo na loja; ative-o antes de enviar",
    "product.gone": "foi excluído no {system}",
    "product.unknown": "não está mais na loja",
    "customer.missing": "o pedido veio sem comprador",
    "item.unknown": "o produto “{received}” do pedido não está na loja; cadastre-o com este mesmo código (SKU)",
    "order.unknown": "não está mais na loja",
    "parent_ref.unknown": "o produto pai “{received}” não está na loja; cadastre-o antes, como produto com variações",
    "parent_ref.itself": "o produto não pode ser pai dele mesmo; informe o código do produto com variações",
    "items.empty": "o pedido não tem itens; informe ao menos um",
    "*.range": "{number} está fora do que é possível; confira o número",
    "*.places": "{number} tem mais de duas casas decimais; escreva o valor com duas",
    "total.differs": "a soma dos itens, com desconto e frete, não confere com o total do pedido: {received}",
    "*.empty": "está vazio; preencha o campo",
    "*.negative": "{number} é menor que zero; escreva zero ou mais",
    "*.not_a_number": "“{received}” não é um número que se possa ler com segurança; escreva-o só com algarismos",
    "*.too_large": "“{received}” é grande demais; confira o número",
    "*.too_long": "é longo demais; encurte-o (começa com “{received}”)",
    "*.not_a_text": "devia ser um texto e veio como “{received}”; apague o campo e escreva-o de novo",
    "*.unknown_code": "o código “{received}” não é conhecido; escolha outra opção no campo",
}

FIELDS = {
    "customer": "Comprador",
    "document": "CPF ou CNPJ",
    "freight": "Frete",
    "discount": "Desconto",
    "instalments": "Parcelas",
    "item": "Item",
    "items": "Itens",
    "notes": "Observações",
    "number": "Número do pedido",
    "payment_method": "Forma de pagamento",
    "quantity": "Quantidade",
    "unit_price": "Preço unitário",
    "order": "Pedido",
    "product": "Produto",
    "total": "Total",
    "active": "Situação",
    "answer": "Resposta",
    "available": "Saldo disponível",
    "brand": "Marca",
    "category": "Categoria",
    "cest": "CEST",
    "cost_price": "Preço de custo",
    "deposit": "Saldo no depósito",
    "description": "Descrição complementar",
    "details": "Cadastro",
    "external_id": "Registro",
    "gtin": "GTIN (código de barras)",
    "height": "Altura da embalagem",
    "kind": "Tipo do produto",
    "kit": "Componentes do kit",
    "length": "Comprimento da embalagem",
    "list_price": "Preço",
    "name": "Nome",
    "ncm": "NCM",
    "origin": "Origem",
    "parent_ref": "Produto pai",
    "physical": "Saldo",
    "promotional_price": "Preço promocional",
    "record": "Registro",
    "related": "Produtos relacionados",
    "reserved": "Saldo reservado",
    "sku": "Código (SKU)",
    "unit": "Unidade",
    "warranty": "Garantia",
    "weight_gross": "Peso bruto",
    "weight_net": "Peso líquido",
    "width": "Largura da embalagem",
}
