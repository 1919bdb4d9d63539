"""The switches of the Conta Azul simulator, for what the reference leaves open or gives in two forms."""

from sandbox.core.settings import Spec

CONTAAZUL_SETTINGS = {
    "contaazul_search_lag_s": Spec(0.0, "sandbox seconds until lists and searches show an edit"),
    "contaazul_access_token_s": Spec(3_600.0, "lifetime of an access token, sandbox seconds (§2.2)", low=1),
    "contaazul_refresh_token_s": Spec(63_072_000.0, "lifetime of a refresh token, sandbox seconds (§2.2)", low=1),
    "contaazul_refresh_reuse_revokes": Spec(False, "using a burned refresh token also kills the connection (§2.3)"),
    "contaazul_second_limit": Spec(
        "bucket", "10 a second as a bucket refilled 10 a second (§12), or in any one second", ("bucket", "sliding")
    ),
    "contaazul_refused_calls_count": Spec(False, "calls answered 429 spend quota too [I]"),
    "contaazul_retry_after": Spec(
        "alternate", "whether a 429 carries Retry-After (§3.2, §12)", ("alternate", "always", "never")
    ),
    "contaazul_empty_lists": Spec(
        "null",
        "an empty list: null (but [] of invoices), as observed (null of people only), or []",
        ("null", "observed", "empty"),
    ),
    "contaazul_wrong_totals": Spec(False, "every total is 3 too high; the one of invoices always overstates (§7.1)"),
    "contaazul_created_status": Spec("200", "status of created products and people, not known (§13)", ("200", "201")),
    "contaazul_sale_errors": Spec(
        "mixed", "error bodies of sales: either shape, by the text (§3.4)", ("mixed", "error", "message")
    ),
    "contaazul_duplicate_sku": Spec("accept", "a SKU given twice, not known (§4.7)", ("accept", "refuse")),
    "contaazul_duplicate_person": Spec("accept", "a CPF or CNPJ given twice, not known (§5.3)", ("accept", "refuse")),
    "contaazul_people_defaults": Spec(
        "narrow", "tipos_pessoa and tipo_perfil left out mean Física and Cliente, or all (§5.1)", ("narrow", "all")
    ),
    "contaazul_document_search": Spec(
        "both", "how `documentos` must be written to be found (§5.1)", ("both", "digits", "masked")
    ),
    "contaazul_product_patch": Spec("ignore", "fields PATCH does not know (§12)", ("ignore", "refuse")),
    "contaazul_check_installments": Spec(True, "instalments must add up to items + freight - discount (§6.3)"),
    "contaazul_check_installment_count": Spec(True, "instalments must be as many as the condition says [I]"),
    "contaazul_first_number": Spec("one", "proximo-numero of an account without sales (§6.2)", ("one", "null")),
    "contaazul_sales_move_stock": Spec(True, "an approved sale lowers the stock (§12)"),
    "contaazul_stock_dates_product": Spec(False, "a movement of stock touches ultima_atualizacao (§9)"),
    "contaazul_auto_invoice": Spec(True, "the merchant's ERP issues an NF-e for every approved sale by itself"),
    "contaazul_invoice_delay_s": Spec(600.0, "sandbox seconds from a sale's approval to its NF-e"),
    "contaazul_cancelled_by_key": Spec("404", "GET of a cancelled NF-e by its key, not known", ("404", "xml")),
}
