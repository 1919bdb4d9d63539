"""A part of Tiny's city table: every capital and some more of each state (`reference/tiny.md` §3.8)."""

from sandbox.tiny.situations import plain

CITIES = {
    "AC": ("Rio Branco", "Cruzeiro do Sul", "Sena Madureira"),
    "AL": ("Maceió", "Arapiraca", "Palmeira dos Índios"),
    "AM": ("Manaus", "Parintins", "Itacoatiara"),
    "AP": ("Macapá", "Santana", "Laranjal do Jari"),
    "BA": ("Salvador", "Feira de Santana", "Vitória da Conquista", "Ilhéus", "Camaçari", "Lauro de Freitas"),
    "CE": ("Fortaleza", "Caucaia", "Juazeiro do Norte", "Sobral", "Maracanaú"),
    "DF": ("Brasília",),
    "ES": ("Vitória", "Vila Velha", "Serra", "Cariacica", "Linhares"),
    "GO": ("Goiânia", "Anápolis", "Aparecida de Goiânia", "Rio Verde"),
    "MA": ("São Luís", "Imperatriz", "Timon"),
    "MG": (
        "Belo Horizonte", "Uberlândia", "Contagem", "Juiz de Fora", "Betim", "Montes Claros", "Poços de Caldas",
        "Olhos-d'Água",
    ),
    "MS": ("Campo Grande", "Dourados", "Três Lagoas"),
    "MT": ("Cuiabá", "Várzea Grande", "Rondonópolis", "Sinop"),
    "PA": ("Belém", "Ananindeua", "Santarém", "Marabá"),
    "PB": ("João Pessoa", "Campina Grande", "Patos"),
    "PE": ("Recife", "Olinda", "Jaboatão dos Guararapes", "Caruaru", "Petrolina"),
    "PI": ("Teresina", "Parnaíba", "Picos"),
    "PR": ("Curitiba", "Londrina", "Maringá", "Ponta Grossa", "Cascavel", "Foz do Iguaçu", "São José dos Pinhais"),
    "RJ": ("Rio de Janeiro", "Niterói", "Nova Iguaçu", "Duque de Caxias", "Petrópolis", "São Gonçalo", "Paraty"),
    "RN": ("Natal", "Mossoró", "Parnamirim"),
    "RO": ("Porto Velho", "Ji-Paraná", "Ariquemes"),
    "RR": ("Boa Vista", "Rorainópolis", "Caracaraí"),
    "RS": ("Porto Alegre", "Bento Gonçalves", "Caxias do Sul", "Pelotas", "Canoas", "Santa Maria", "Gramado"),
    "SC": ("Florianópolis", "Joinville", "Blumenau", "Itajaí", "Chapecó", "Criciúma", "São José"),
    "SE": ("Aracaju", "Nossa Senhora do Socorro", "Lagarto"),
    "SP": (
        "São Paulo", "Campinas", "Guarulhos", "Santos", "Ribeirão Preto", "São José dos Campos", "Sorocaba", "Osasco",
        "Santo André", "São Bernardo do Campo", "Santa Bárbara d'Oeste", "Mogi das Cruzes", "Barueri", "Jundiaí",
    ),
    "TO": ("Palmas", "Araguaína", "Gurupi"),
}  # fmt: skip


def known_city(name: str, uf: str, exact: bool) -> bool:
    """Tell whether the table has a city of that state (of any, without one); `exact` minds case and accents."""
    if uf and uf.strip().upper() not in CITIES:
        return False
    rows = CITIES[uf.strip().upper()] if uf else [city for cities in CITIES.values() for city in cities]
    if exact:
        return name.strip() in rows
    return plain(name) in {plain(row) for row in rows}
