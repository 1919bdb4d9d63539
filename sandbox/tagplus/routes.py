"""The operations of the simulated API."""

from sandbox.tagplus import customers, hooks, invoices, orders, products, stock, tables
from sandbox.tagplus.api import Route, Router
from sandbox.tagplus.lookups import TABLES

_LOOKUPS = tuple(name for name in TABLES if name != "categorias_entidade")


def _lookups() -> list[Route]:
    paths = {**{name: name for name in _LOOKUPS}, **tables.PATHS}
    routes = []
    for path, resource in paths.items():
        routes.append(Route("GET", f"/{path}", resource, tables.lister(path)))
        routes.append(Route("GET", f"/{path}/{{id}}", resource, tables.getter(path)))
        if resource in tables.CREATABLE:
            routes.append(Route("POST", f"/{path}", resource, tables.creator(path)))
    return routes


ROUTER = Router(
    (
        Route("GET", "/produtos", "produtos", products.list_products),
        Route("POST", "/produtos", "produtos", products.create_product),
        Route("GET", "/produtos/pais_e_filhos", "produtos", products.list_families),
        Route("GET", "/produtos/imagens/{id}", "produtos", products.list_images),
        Route("POST", "/produtos/imagens/{id}", "produtos", products.create_image),
        Route("PATCH", "/produtos/imagens/{id}", "produtos", products.patch_image),
        Route("DELETE", "/produtos/imagens/{id}", "produtos", products.delete_image),
        Route("GET", "/produtos/{id}", "produtos", products.get_product),
        Route("PATCH", "/produtos/{id}", "produtos", products.patch_product),
        Route("DELETE", "/produtos/{id}", "produtos", products.delete_product),
        Route("POST", "/bulk/produtos", "produtos", products.bulk_create),
        Route("PATCH", "/bulk/produtos", "produtos", products.bulk_patch),
        Route("GET", "/ajustes_estoque", "ajustes_estoque", stock.list_adjustments),
        Route("POST", "/ajustes_estoque", "ajustes_estoque", stock.create_adjustment),
        Route("GET", "/ajustes_estoque/{id}", "ajustes_estoque", stock.get_adjustment),
        Route("PATCH", "/ajustes_estoque/{id}", "ajustes_estoque", stock.patch_adjustment),
        Route("DELETE", "/ajustes_estoque/{id}", "ajustes_estoque", stock.delete_adjustment),
        Route("GET", "/clientes", "clientes", customers.list_customers),
        Route("POST", "/clientes", "clientes", customers.create_customer),
        *_lookups(),
        Route("GET", "/clientes/{id}", "clientes", customers.get_customer),
        Route("PATCH", "/clientes/{id}", "clientes", customers.patch_customer),
        Route("DELETE", "/clientes/{id}", "clientes", customers.delete_customer),
        Route("GET", "/pedidos", "pedidos", orders.list_orders),
        Route("POST", "/pedidos", "pedidos", orders.create_order),
        Route("GET", "/pedidos/to_nfe/{id}", "pedidos", orders.to_note),
        Route("GET", "/pedidos/{id}", "pedidos", orders.get_order),
        Route("PATCH", "/pedidos/{id}", "pedidos", orders.patch_order),
        Route("DELETE", "/pedidos/{id}", "pedidos", orders.delete_order),
        Route("GET", "/nfes", "nfes", invoices.list_notes),
        Route("POST", "/nfes", "nfes", invoices.create_note),
        Route("GET", "/nfes/gerar_link_xml/{id}", "nfes", invoices.get_xml),
        Route("PATCH", "/nfes/cancelar/{id}", "nfes", invoices.cancel_note),
        Route("PATCH", "/nfes/inutilizar/{id}", "nfes", invoices.void_note),
        Route("GET", "/nfes/{id}", "nfes", invoices.get_note),
        Route("PATCH", "/nfes/{id}", "nfes", invoices.patch_note),
        Route("DELETE", "/nfes/{id}", "nfes", invoices.delete_note),
        Route("GET", "/me", "me", tables.get_me),
        Route("GET", "/me/permissoes", "me", tables.get_permissions),
        Route("GET", "/registro_atividades", "registro_atividades", tables.list_activities),
        Route("GET", "/registro_atividades/{id}", "registro_atividades", tables.get_activity),
        Route("GET", "/webhooks", "webhooks", hooks.list_hooks),
        Route("POST", "/webhooks", "webhooks", hooks.create_hook),
        Route("GET", "/webhooks/{id}", "webhooks", hooks.get_hook),
        Route("PATCH", "/webhooks/{id}", "webhooks", hooks.patch_hook),
        Route("DELETE", "/webhooks/{id}", "webhooks", hooks.delete_hook),
        Route("GET", "/webhooks_eventos", "webhooks_eventos", hooks.list_events),
    )
)
