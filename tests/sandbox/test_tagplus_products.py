"""Products and stock of the simulated TagPlus against reference/tagplus.md §5, §6."""

import base64

import pytest

from tests.sandbox.tagplus_client import TagPlusClient


@pytest.fixture
def tag(served):
    client = TagPlusClient(served)
    yield client
    client.http.close()


def codes(rows):
    return [row["codigo"] for row in rows]


def shirt(tag):
    """A parent with two variations."""
    children = [
        {"codigo": "CAM-P", "modalidades": [2], "qtd_revenda": 3},
        {"codigo": "CAM-M", "modalidades": [3], "qtd_revenda": 4, "valor_venda_varejo": 59.9},
    ]
    return tag.product(descricao="Camiseta", codigo="CAM", tipo="G", qtd_revenda=0, filhos=children)


def test_one_unknown_key_fails_the_whole_write(tag):
    """§5: 422 with the validator's output, every complaint at once."""
    answer = tag.api("POST", "/produtos", json={"nome": "x", "estoque": {"saldo": 1}, "cst_a": "9", "peso": "1"})
    assert answer.status_code == 422
    body = answer.json()
    assert body.keys() == {"error_code", "message", "dev_message", "data", "errors"}
    assert [(e["dataPath"], e["schemaKey"], e["message"]) for e in body["errors"]] == [
        ("", "/required/0", "Campo obrigatório não encontrado: 'descricao'"),
        ("/nome", "/additionalProperties", "Campo adicional não é permitido: 'nome'"),
        ("/estoque/saldo", "/additionalProperties", "Campo adicional não é permitido: 'saldo'"),
        ("/cst_a", "/enum", "Valor não permitido: '9'"),
        ("/peso", "/type", "Tipo inválido: str (esperado number)"),
    ]
    assert tag.erp("GET", "products") == []


def test_only_the_description_is_needed(tag):
    row = tag.post("/produtos", {"descricao": "Vaso"})
    assert (row["codigo"], row["tipo"], row["ativo"], row["valor_venda_varejo"]) == (str(row["id"]), "N", 1, None)
    tag.settings(flags="booleans")
    assert tag.get(f"/produtos/{row['id']}")["ativo"] is True


def test_references_must_exist(tag):
    answer = tag.api("POST", "/produtos", json={"descricao": "x", "categoria": 99})
    assert (answer.status_code, answer.json()["data"]) == (404, [{"id": "99", "field": "categoria"}])
    row = tag.product(categoria=2)
    assert row["categoria"] == {"id": 2, "descricao": "Roupas"}


def test_a_patch_keeps_what_it_does_not_name_and_knows_no_type(tag):
    row = tag.product(peso=0.3)
    changed = tag.patch(f"/produtos/{row['id']}", {"descricao": "Outra"})
    assert (changed["descricao"], changed["peso"], changed["qtd_revenda"]) == ("Outra", 0.3, 10)
    assert tag.api("PATCH", f"/produtos/{row['id']}", json={"tipo": "K"}).status_code == 422
    assert tag.api("PATCH", f"/produtos/{row['id']}", json={"id": 3}).status_code == 422


def test_the_retail_price_and_its_row_are_one(tag):
    row = tag.product(valor_venda_varejo=49.9)
    (retail,) = row["valores_venda"]
    assert (retail["valor_venda"], retail["tipo_valor_venda"]["nome"]) == (49.9, "Varejo")
    prices = [{"valor_venda": 40, "tipo_valor_venda": {"id": 2}}, {"id": retail["id"], "valor_venda": 55}]
    changed = tag.patch(f"/produtos/{row['id']}", {"valores_venda": prices})
    assert changed["valor_venda_varejo"] == 55
    assert [p["valor_venda"] for p in changed["valores_venda"]] == [55, 40]


def test_the_same_code_may_come_again_unless_refused(tag):
    tag.product()
    tag.product()
    tag.settings(duplicate_codigo="refuse")
    assert tag.api("POST", "/produtos", json={"descricao": "x", "codigo": "CAN-1"}).status_code == 422


def test_stock_is_set_in_either_form(tag):
    row = tag.product()
    assert tag.patch(f"/produtos/{row['id']}", {"estoque": {"qtd_revenda": 17}})["qtd_revenda"] == 17
    changed = tag.patch(f"/produtos/{row['id']}", {"qtd_revenda": 5})
    assert changed["estoque"]["qtd_revenda"] == changed["qtd_revenda"] == 5


def test_the_user_may_be_forbidden_to_set_stock(tag):
    row = tag.product()
    tag.account(permissions={"alterar_estoque_produto": False})
    answer = tag.api("PATCH", f"/produtos/{row['id']}", json={"descricao": "Nova", "qtd_revenda": 5})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "permissao_alterar_estoque_produto")
    assert tag.get(f"/produtos/{row['id']}")["descricao"] == "Caneca azul"
    assert tag.patch(f"/produtos/{row['id']}", {"descricao": "Nova"})["descricao"] == "Nova"


def test_variations_are_hidden_from_lists_unless_asked_for(tag):
    """§6.3, §6.4."""
    parent = shirt(tag)
    tag.product()
    assert codes(tag.get("/produtos")) == ["CAM", "CAN-1"]
    assert codes(tag.get("/produtos", filtro_grade="F")) == ["CAM-P", "CAM-M"]
    assert codes(tag.get("/produtos", filtro_grade="P")) == ["CAM"]
    assert codes(tag.get("/produtos", filtro_grade="T")) == ["CAM", "CAM-P", "CAM-M"]
    assert codes(tag.get("/produtos", filtro_grade="S")) == ["CAM", "CAM-P", "CAM-M", "CAN-1"]
    assert codes(tag.get("/produtos/pais_e_filhos")) == ["CAM", "CAM-P", "CAM-M"]
    assert tag.api("GET", "/produtos", params={"filtro_grade": "X"}).status_code == 422
    assert parent["filhos"][1] == {
        "id": parent["id"] + 2, "codigo": "CAM-M", "descricao": "Camiseta - M", "qtd_revenda": 4,
    }  # fmt: skip
    assert parent["qtd_revenda"] == 7
    child = tag.get(f"/produtos/{parent['id'] + 1}")
    assert (child["id_pai"], child["tipo"], child["valor_venda_varejo"]) == (parent["id"], "G", 49.9)


def test_a_variation_may_also_come_by_itself(tag):
    parent = tag.product(codigo="CAM", tipo="G")
    tag.product(codigo="CAM-G", id_pai=parent["id"], qtd_revenda=2)
    assert codes(tag.get(f"/produtos/{parent['id']}")["filhos"]) == ["CAM-G"]
    simple = tag.product(codigo="S")
    assert tag.api("POST", "/produtos", json={"descricao": "x", "id_pai": simple["id"]}).status_code == 422
    assert tag.api("POST", "/produtos", json={"descricao": "x", "filhos": [{"codigo": "y"}]}).status_code == 422


def test_the_stock_of_a_parent_or_kit_is_reckoned(tag):
    parent = shirt(tag)
    answer = tag.api("PATCH", f"/produtos/{parent['id']}", json={"qtd_revenda": 5})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "operacao_nao_permitida")
    mug = tag.product(qtd_revenda=7)
    kit = tag.product(codigo="KIT", tipo="K", qtd_revenda=0, itens_vinculados=[{"produto": mug["id"], "qtd": 2}])
    assert kit["qtd_revenda"] == 3


def test_movements_need_no_absolute_value(tag):
    """§6.5: in, out, draft; deleting gives back."""
    row = tag.product()

    def adjust(kind, quantity, **rest):
        items = [{"produto_servico": row["id"], "qtd": quantity}]
        return tag.post("/ajustes_estoque", {"tipo": kind, "itens": items, **rest})

    def balance():
        return tag.get(f"/produtos/{row['id']}")["qtd_revenda"]

    adjust("E", 5, status="A")
    out = adjust("S", 3, status="A", codigo_externo="AJ-1")
    assert balance() == 12
    draft = adjust("C", 100)
    assert (draft["status"], balance()) == ("N", 12)
    assert tag.patch(f"/ajustes_estoque/{draft['id']}", {"status": "A"})["status"] == "A"
    assert balance() == 112
    assert [r["id"] for r in tag.get("/ajustes_estoque", codigo_externo="AJ-1")] == [out["id"]]
    tag.write("DELETE", f"/ajustes_estoque/{out['id']}")
    assert balance() == 115
    wrong = tag.api("POST", "/ajustes_estoque", json={"tipo": "X", "itens": [{"produto": 1}]})
    assert len(wrong.json()["errors"]) == 4


def test_a_movement_may_leave_the_date_of_alteration_alone(tag):
    tag.freeze()
    row = tag.product()
    tag.settings(movements_date_product=False)
    tag.advance(60)
    items = [{"produto_servico": row["id"], "qtd": 1}]
    tag.post("/ajustes_estoque", {"tipo": "E", "itens": items, "status": "A"})
    now = tag.get(f"/produtos/{row['id']}")
    assert (now["qtd_revenda"], now["data_alteracao"]) == (11, row["data_alteracao"])


def test_a_product_that_moved_cannot_be_deleted(tag):
    row = tag.product()
    items = [{"produto_servico": row["id"], "qtd": 1}]
    made = tag.post("/ajustes_estoque", {"tipo": "E", "itens": items})
    answer = tag.api("DELETE", f"/produtos/{row['id']}")
    assert (answer.status_code, answer.json()["data"]) == (403, [{"id": str(row["id"]), "field": None}])
    tag.write("DELETE", f"/ajustes_estoque/{made['id']}")
    assert tag.write("DELETE", f"/produtos/{row['id']}") == {"message": "Deletado com sucesso"}
    assert tag.api("GET", f"/produtos/{row['id']}").status_code == 404


def test_images_are_added_listed_served_and_removed(tag):
    row = tag.product()
    raw = base64.b64encode(b"picture").decode()
    first = tag.post(f"/produtos/imagens/{row['id']}", {"extensao": "png", "base64": raw})
    assert first["principal"] is True
    assert tag.http.get(first["url"]).content == b"picture"
    second = tag.post(f"/produtos/imagens/{row['id']}", {"extensao": "png", "base64": raw, "principal": True})
    shown = tag.get(f"/produtos/{row['id']}")
    assert shown["imagens"] == [first["id"], second["id"]]
    assert shown["imagem_principal"] == {"id": second["id"], "url": second["url"], "principal": True}
    wrong = tag.api("POST", f"/produtos/imagens/{row['id']}", json={"extensao": "png", "base64": "§"})
    assert wrong.json()["error_code"] == "base64_formato_invalido"
    answer = tag.api("DELETE", f"/produtos/imagens/{row['id']}", params={"nome_arquivo": f"{first['id']}.png"})
    assert answer.status_code == 200
    assert [i["id"] for i in tag.get(f"/produtos/imagens/{row['id']}")] == [second["id"]]


def test_bulk_writes_answer_200_with_the_errors_inside(tag):
    (done,) = tag.write("POST", "/bulk/produtos", [{"descricao": "A", "codigo": "A"}, {"nome": "B"}])
    assert [s["codigo"] for s in done["success"]] == ["A"]
    assert done["errors"][0]["errors"][0]["schemaKey"] == "/required/0"
    changes = [{"id": done["success"][0]["id"], "qtd_revenda": 9}, {"id": 999}, {"descricao": "x"}]
    (done,) = tag.write("PATCH", "/bulk/produtos", changes)
    assert (len(done["success"]), len(done["errors"])) == (1, 2)
    assert tag.get("/produtos", fields="qtd_revenda") == [{"qtd_revenda": 9}]


def test_the_merchant_edits_too(tag):
    made = tag.erp("POST", "products", {"descricao": "Da loja", "codigo": "L-1", "valor_venda_varejo": 10})
    assert made["origem"] == "ERP"
    tag.erp("POST", f"products/{made['id']}/stock", {"balance": 4})
    tag.erp("PATCH", f"products/{made['id']}", {"ativo": False})
    (found,) = tag.erp("GET", "products?sku=L-1")
    assert (found["qtd_revenda"], found["ativo"]) == (4, 0)
    tag.erp("PATCH", f"products/{made['id']}", {"nome": "x"}, 400)
    tag.erp("DELETE", f"products/{made['id']}")
    tag.erp("GET", f"products/{made['id']}", None, 404)
    api = tag.product()
    (found,) = tag.erp("GET", "products?sku=CAN-1")
    assert (found["origem"], found["request"]["qtd_revenda"], found["id"]) == ("API", 10, api["id"])


def test_deletions_stand_in_the_audit_log(tag):
    row = tag.product()
    tag.write("DELETE", f"/produtos/{row['id']}")
    log = tag.get("/registro_atividades", entidade="produto", tipo_evento="E")
    assert [(line["id_entidade"], line["nome_app"]) for line in log] == [(str(row["id"]), "demo-client")]
    only = tag.tokens(scopes=["write:produtos"])["access_token"]
    assert tag.api("GET", "/registro_atividades", token=only).status_code == 401
