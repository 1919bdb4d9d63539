"""The operations of the simulated api-v2."""

from sandbox.contaazul import finance, invoices, people, products, sale_search, sales
from sandbox.contaazul.api import FINANCE, OPEN, SALES, Route, Router

_EVENTS = "/v1/financeiro/eventos-financeiros"

ROUTER = Router(
    (
        Route("GET", "/v1/produtos", OPEN, products.list_products),
        Route("POST", "/v1/produtos", OPEN, products.create_product),
        Route("GET", "/v1/produtos/categorias", OPEN, products.list_categories),
        Route("GET", "/v1/produtos/ncm", OPEN, products.list_ncms),
        Route("GET", "/v1/produtos/cest", OPEN, products.list_cests),
        Route("GET", "/v1/produtos/unidades-medida", OPEN, products.list_units),
        Route("GET", "/v1/produtos/ecommerce-marcas", OPEN, products.list_brands),
        Route("GET", "/v1/produtos/ecommerce-categorias", OPEN, products.list_shop_categories),
        Route("GET", "/v1/produtos/{id}", OPEN, products.get_product),
        Route("PATCH", "/v1/produtos/{id}", OPEN, products.patch_product),
        Route("DELETE", "/v1/produtos/{id}", OPEN, products.delete_product),
        Route("GET", "/v1/pessoas", OPEN, people.list_people),
        Route("POST", "/v1/pessoas", OPEN, people.create_person),
        Route("GET", "/v1/pessoas/conta-conectada", OPEN, people.get_company),
        Route("POST", "/v1/pessoas/ativar", OPEN, people.activate),
        Route("POST", "/v1/pessoas/inativar", OPEN, people.deactivate),
        Route("POST", "/v1/pessoas/excluir", OPEN, people.delete_people),
        Route("GET", "/v1/pessoas/{id}", OPEN, people.get_person),
        Route("PUT", "/v1/pessoas/{id}", OPEN, people.replace_person),
        Route("PATCH", "/v1/pessoas/{id}", OPEN, people.patch_person),
        Route("GET", "/v1/pessoas/legado/{id}", OPEN, people.get_by_old_id),
        Route("POST", "/v1/venda", SALES, sales.create_sale),
        Route("GET", "/v1/venda/busca", SALES, sale_search.search_sales),
        Route("GET", "/v1/venda/proximo-numero", SALES, sales.next_number),
        Route("GET", "/v1/venda/vendedores", SALES, sales.list_sellers),
        Route("POST", "/v1/venda/exclusao-lote", SALES, sales.delete_sales),
        Route("GET", "/v1/venda/{id}", SALES, sales.get_sale),
        Route("PUT", "/v1/venda/{id}", SALES, sales.update_sale),
        Route("GET", "/v1/venda/{id_venda}/itens", SALES, sales.get_items),
        Route("GET", "/v1/venda/{id}/imprimir", SALES, sales.print_sale),
        Route("GET", "/v1/notas-fiscais", OPEN, invoices.list_invoices),
        Route("GET", "/v1/notas-fiscais/{chave}", OPEN, invoices.get_invoice),
        Route("GET", "/v1/categorias", FINANCE, finance.list_categories),
        Route("GET", "/v1/conta-financeira", FINANCE, finance.list_accounts),
        Route("GET", "/v1/conta-financeira/{id}/saldo-atual", FINANCE, finance.get_balance),
        Route("GET", "/v1/centro-de-custo", FINANCE, finance.list_cost_centres),
        Route("POST", "/v1/centro-de-custo", FINANCE, finance.create_cost_centre),
        Route("GET", _EVENTS + "/{id_evento}/parcelas", FINANCE, finance.list_installments),
        Route("GET", _EVENTS + "/parcelas/{parcela_id}/baixa", FINANCE, finance.list_payments),
        Route("POST", _EVENTS + "/parcelas/{parcela_id}/baixa", FINANCE, finance.create_payment),
    )
)
