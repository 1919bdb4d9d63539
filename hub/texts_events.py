"""What a merchant reads about webhooks; `hub.texts` puts it with the rest."""

PLAIN = {
    # code: (title, what happened, what to do)
    "inbox.failed": (
        "Avisos automáticos do {system} não processados",
        "{count} aviso(s) automático(s) (webhooks) que o {system} enviou não puderam ser processados, mesmo depois de "
        "várias tentativas. Os dados continuam sendo conferidos nos horários de costume.",
        "Se algum produto, pedido ou nota estiver desatualizado na loja depois da próxima conferência, fale com o "
        "suporte da Esteira.",
    ),
    "inbox.other_account": (
        "Endereço de webhook cadastrado em outra conta",
        "Chegou a um endereço desta conexão um aviso automático de outra empresa (o CNPJ é outro). Ele não foi "
        "processado.",
        "No {system}, veja em qual conta os endereços de webhook desta conexão foram cadastrados e cadastre-os só na "
        "conta conectada aqui. Depois de corrigir, arquive este aviso.",
    ),
}
