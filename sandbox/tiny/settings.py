"""The switches of the Tiny simulator, for what the reference leaves open or gives in two forms."""

from sandbox.core.settings import Spec

TINY_SETTINGS = {
    "types": Spec("clean", "value types of answers: those of the samples, or drifting", ("clean", "messy")),
    "search_lag_s": Spec(0.0, "sandbox seconds until searches and lists show an edit (§7)"),
    "update_list": Spec(
        "consume",
        "lista.atualizacoes.*: a queue emptied by reading, a filter by date, or no extension (§3.5)",
        ("consume", "since", "off"),
    ),
    "v3_variations_in_list": Spec(False, "GET /produtos shows variations as rows of their own"),
    "access_token_s": Spec(14_400.0, "lifetime of an access token, sandbox seconds (§4.1)", low=1),
    "refresh_token_s": Spec(86_400.0, "lifetime of a refresh token, sandbox seconds (§4.1)", low=1),
    "refresh_reuse_revokes": Spec(False, "using a burned refresh token also kills the session [I]"),
    "order": Spec("name", "order of rows in searches and lists, not documented (§2.7)", ("name", "id", "newest")),
    "shared_quota": Spec(True, "v2 and v3 spend one quota (§2.3, one source)"),
    "blocked_calls_count": Spec(False, "refused calls count too and so prolong the block [I] (§2.3)"),
    "registros": Spec("list", "form of `registros` in produto.atualizar.estoque (§3.5)", ("list", "object")),
    "long_values": Spec(
        "cut", "texts longer than their field in v2 writes, not documented (§9)", ("cut", "refuse", "keep")
    ),
    "lost_zeros": Spec(False, "a numeric-looking SKU loses its leading zeros in searches [I] (§2.6)"),
    "orders_move_stock": Spec(True, "approved orders reserve their goods, invoiced ones take them (§3.9)"),
    "order_registros": Spec(
        "object", "form of `registros` in a good answer of pedido.incluir and gerar.nota (§2.5)", ("object", "list")
    ),
    "order_situation": Spec(
        "text",
        "situation of orders in v2 reads: the text, the code [I] (§3.9), or the text cut to its 15 letters (§3.7)",
        ("text", "code", "cut"),
    ),
    "duplicate_order": Spec(
        "accept",
        "pedido.incluir with a number the integration has: a second order, or code 30 [I]",
        ("accept", "refuse"),
    ),
    "city_check": Spec(
        "loose", "city table: case and accents ignored, minded, or no check (§3.8)", ("loose", "exact", "off")
    ),
    "wide_characters": Spec("accept", "characters above U+00FF in an order's notes (§2.2 [R])", ("accept", "refuse")),
    "second_invoice": Spec("accept", "a second note of an order whose first is alive (§7 [I])", ("accept", "refuse")),
    "emit_outcome": Spec(
        "6",
        "what SEFAZ says to a note: authorized, rejected, denied, or nothing (code 34, stays pending)",
        ("6", "5", "10", "1"),
    ),
    "xml_form": Spec("nested", "the note inside nota.fiscal.obter.xml (§3.10)", ("nested", "cdata", "escaped")),
    "v3_days": Spec(
        "created",
        "dataInicial and dataFinal of GET /pedidos and /notas: days of creation as documented, or the record's own",
        ("created", "own"),
    ),
    "v3_created_status": Spec("200", "status of POST /pedidos: as documented, or as observed [R]", ("200", "201")),
}
