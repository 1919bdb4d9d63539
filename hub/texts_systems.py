"""What a merchant knows each system by, and where in its screens things are done; for the notices of `hub.texts`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class System:
    """What the merchant knows a kind of connection by, and where in its screens things are done.

    Sources: `reference/tiny.md §1` and `§2.2` (extensions "Token API", "Gestão de Aplicativos"), `§3.5` ("API para
    estoque em tempo real"), `§4.1` (the app's modules; a new consent after they change), `§2.3` (one quota an account).
    """

    label: str
    name: str
    reconnect: str
    access: str
    permission: str


_CONNECT_AGAIN = "Depois, informe os dados novos nesta conexão, na Esteira, e mande verificar a conexão"
_OTHER_PLACES = "no sistema integrado, abra a tela em que a integração foi autorizada"

SYSTEMS = {
    "tiny_v2": System(
        label="Olist Tiny (API v2)",
        name="Olist Tiny",
        reconnect=(
            "No Olist Tiny, abra Configurações e entre na extensão “Token API” (se ela não aparecer, instale-a antes "
            "na página de extensões). Gere um token, copie-o inteiro e lembre que um token novo desliga o anterior. "
            f"{_CONNECT_AGAIN}."
        ),
        access=(
            "No Olist Tiny, confira em Configurações se a extensão “Token API” continua instalada e se o plano da "
            "conta dá direito à API (o plano Começar, ou Avance, não dá)."
        ),
        permission=(
            "No Olist Tiny, confira se a extensão “API para estoque em tempo real” continua instalada e reinstale-a se "
            "preciso. Se preferir ficar sem ela, mande verificar a conexão na Esteira: a leitura segue pela lista "
            "completa de produtos."
        ),
    ),
    "tiny_v3": System(
        label="Olist Tiny (API v3)",
        name="Olist Tiny",
        reconnect=(
            "Na Esteira, abra esta conexão, escolha conectar de novo e autorize o acesso na tela do Olist Tiny que se "
            "abre, com um usuário que veja produtos, estoque, pedidos e notas fiscais. A autorização vence quando a "
            "integração fica 24 horas sem acessar a conta."
        ),
        access=(
            "No Olist Tiny, confira se a extensão “Gestão de Aplicativos” continua instalada, se o aplicativo da "
            "Esteira continua na lista dela e se o plano da conta dá direito à API."
        ),
        permission=(
            "No Olist Tiny, abra a extensão “Gestão de Aplicativos”, escolha o aplicativo da Esteira e marque a "
            "leitura dos módulos de produtos, de estoque, de notas fiscais e de formas de recebimento, e a leitura e a "
            "inclusão de pedidos e de contatos; o usuário que autoriza precisa ter essas permissões também. "
            "Em seguida, conecte de novo na Esteira: permissões mudadas só valem depois de outra autorização."
        ),
    ),
    "contaazul": System(
        label="Conta Azul",
        name="Conta Azul",
        reconnect=(
            "Na Esteira, abra esta conexão, escolha conectar de novo e autorize o acesso na tela do Conta Azul que se "
            "abre, com o usuário administrador da empresa."
        ),
        access="No Conta Azul, confira se a empresa está ativa e se a integração com a Esteira continua autorizada.",
        permission=(
            "No Conta Azul, confira se o usuário que autorizou a Esteira ainda é administrador da empresa. Em seguida, "
            "conecte de novo na Esteira."
        ),
    ),
    "tagplus": System(
        label="TagPlus",
        name="TagPlus",
        reconnect=(
            "Na Esteira, abra esta conexão, escolha conectar de novo e autorize o acesso na tela do TagPlus que se "
            "abre, com um usuário que veja produtos, clientes, pedidos e notas. A autorização vence quando a "
            "integração fica cerca de duas semanas sem acessar a conta."
        ),
        access="No TagPlus, confira se a empresa está ativa e se a integração com a Esteira continua autorizada.",
        permission=(
            "No TagPlus, confira se o perfil do usuário que autorizou a Esteira dá acesso a produtos, clientes, "
            "pedidos e notas fiscais. Em seguida, conecte de novo na Esteira: o que a autorização inclui só muda com "
            "outra autorização."
        ),
    ),
}

UNKNOWN = System(
    label="sistema integrado",
    name="sistema integrado",
    reconnect=f"Gere uma credencial nova: {_OTHER_PLACES}. {_CONNECT_AGAIN}.",
    access=f"Confira se a integração continua ativa: {_OTHER_PLACES}.",
    permission=f"Libere o acesso a produtos e estoque: {_OTHER_PLACES}. {_CONNECT_AGAIN}.",
)
