"""The switches of the TagPlus simulator, for what the reference leaves open or gives in two forms."""

from sandbox.core.settings import Spec

TAGPLUS_SETTINGS = {
    "tagplus_require_version": Spec(True, "X-Api-Version: 2.0 on every call (§1); else 400, whose form is not known"),
    "tagplus_code_s": Spec(300.0, "lifetime of a code, sandbox seconds (§2.1)", low=1),
    "tagplus_access_token_s": Spec(86_400.0, "lifetime of an access token, sandbox seconds (§2.3)", low=1),
    "tagplus_refresh_token_s": Spec(1_209_600.0, "lifetime of a refresh token, sandbox seconds (§2.3)", low=1),
    "tagplus_refresh_kills_access": Spec(True, "a refresh ends the old access token too (§2.4)"),
    "tagplus_scope_status": Spec("401", "status where the scope lacks (§2.5)", ("401", "403")),
    "tagplus_per_minute": Spec(0, "calls a minute of every account; 0 = no limit (§3)"),
    "tagplus_search_lag_s": Spec(0.0, "sandbox seconds until lists show an edit"),
    "tagplus_unknown_filter": Spec("ignore", "a filter by an unknown plain name (§13)", ("ignore", "refuse")),
    "tagplus_code_filter": Spec(
        "works", "a filter by `codigo_externo`, shown in no source (§8.2)", ("works", "ignored")
    ),
    "tagplus_page_cap": Spec(100, "the most rows of a page (§4)", low=1),
    "tagplus_total_pages": Spec(True, "lists tell X-Total-Pages (§4)"),
    "tagplus_document_filter": Spec("both", "how `cpf=`, `cnpj=` must be written (§4)", ("both", "digits", "masked")),
    "tagplus_customer_rows": Spec(
        "observed",
        "main fields of customers: as observed, with id_entidade, or as in the vendor's sample (§7)",
        ("observed", "vendor"),
    ),
    "tagplus_nfes_date": Spec(
        "data_criacao", "date of since and until of /nfes when unsaid (§4)", ("data_criacao", "data_alteracao")
    ),
    "tagplus_flags": Spec(
        "numbers", "ativo and sincroniza of products: 1 and 0, or booleans (§4)", ("numbers", "booleans")
    ),
    "tagplus_duplicate_codigo": Spec(
        "accept", "codigo of a product given twice, not known (§6.2)", ("accept", "refuse")
    ),
    "tagplus_movements_date_product": Spec(True, "a movement of stock touches data_alteracao of the product"),
    "tagplus_orders_move_stock": Spec(True, "a confirmed order lowers the stock (§6.5)"),
    "tagplus_note_confirms_order": Spec(True, "an approved NF-e confirms its order"),
    "tagplus_note_makes_order": Spec(True, "an NF-e without order makes one when it is approved (§8.2)"),
    "tagplus_nfe_delay_s": Spec(0.0, "sandbox seconds from sending an NF-e to its outcome: `processando` meanwhile"),
    "tagplus_nfe_cancel_delay_s": Spec(0.0, "sandbox seconds from the request to cancel an NF-e to its end"),
    "tagplus_nfe_busy_s": Spec(
        0.0, "sandbox seconds after approval while cancelling answers 500 `sendo processada` (§9.2)"
    ),
    "tagplus_nfe_hidden_s": Spec(0.0, "sandbox seconds after its event while GET /nfes/{id} still answers 404 (§11.4)"),
    "tagplus_xml": Spec(
        "raw",
        "/nfes/gerar_link_xml: the XML itself, or a link to it at the API's host, or at that of a file store (§9.1)",
        ("raw", "link", "foreign"),
    ),
    "tagplus_echo": Spec(True, "writes by the API fire events too (§11.4)"),
    "tagplus_event_retries": Spec(0, "how often an event is sent again, each after a minute (§11.4)"),
    "tagplus_event_list": Spec("texts", "rows of /webhooks_eventos: names or objects (§11.1)", ("texts", "objects")),
    "tagplus_unknown_events": Spec("refuse", "registering for an event there is not", ("refuse", "accept")),
}
