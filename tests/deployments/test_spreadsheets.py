"""Spreadsheets in and out, as ops run them: nothing lost, nothing guessed, the good rows in and the bad ones told."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from deployments import cli
from deployments.commands import export_file, import_file, token
from deployments.commands._sheets import Decimals, NotANumberError, read_sheet, write_sheet
from deployments.errors import Fault
from hub import crypto
from hub.db import Database
from hub.settings import settings
from hub.start import open_hub
from hub.tables import Connection, Customer, Merchant, Notice, Order, OrderItem, OutboxEntry, Payment, Price, Product
from tests.hub.shop import connect

D = Decimal
Esteira = Callable[..., SimpleNamespace]


@pytest.fixture
def esteira(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Runs a verb on a hub with the merchant `loja-sol`; gives its exit code and what it wrote."""
    monkeypatch.setenv("ESTEIRA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    monkeypatch.setattr(cli, "COMMANDS", (import_file, export_file, token))
    settings.cache_clear()
    before = crypto.use(None)

    async def begin() -> None:
        db = open_hub()
        async with db.write() as session:
            session.add(Merchant(id="loja-sol", name="Loja Sol"))
        await db.close()

    asyncio.run(begin())

    def run(*arguments: object) -> SimpleNamespace:
        capsys.readouterr()
        code = cli.run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return SimpleNamespace(code=code, out=out, err=err, json=json.loads(out) if "--json" in arguments else None)

    yield run
    crypto.use(before)


def held(model: type[Any]) -> list[Any]:
    async def look() -> list[Any]:
        db = Database.open(settings().database)
        async with db.read() as session:
            found = list((await session.execute(select(model).order_by(*model.__table__.primary_key))).scalars())
        await db.close()
        return found

    return asyncio.run(look())


async def connected() -> Connection:
    """An ERP of the merchant that takes products."""
    db = open_hub()
    made = await connect(db, "loja-sol-erp", takes=("product", "price", "stock"))
    await db.close()
    return made


def file(tmp_path: Path, text: str, name: str = "planilha.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def workbook(tmp_path: Path, *rows: list[Any]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "planilha.xlsx")
    return tmp_path / "planilha.xlsx"


def take(esteira: Esteira, what: str, path: Path, *more: str) -> SimpleNamespace:
    return esteira("import", what, path, "--merchant", "Loja Sol", *more)


PRODUCTS = "sku;nome;preço;estoque;gtin\n00123;Caneca de louça;29,90;5;7891000315507\nCAM;Camiseta;1.234,50;;\n"
ORDERS = (
    "pedido;data;cliente;documento;sku;quantidade;preco_unitario;frete;total;pago;entrega_cep;entrega_uf\n"
    "1001;03/08/2026 09:00;Compra Inventada;529.982.247-25;A;2;29,90;10,20;85,00;sim;01310-100;SP\n"
    "1001;;;;B;1;15,00;;;;;\n"
    "1002;03/08/2026;Visitante;;A;1;29,90;0,00;29,90;não;;\n"
)


class TestProducts:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
    @pytest.mark.parametrize(
        "text",
        [
            PRODUCTS,
            PRODUCTS.replace(";", "\t"),
            PRODUCTS.replace("\n", "\r\n"),
            'sku,nome,price,stock,ean\n00123,Caneca de louça,29.90,5,7891000315507\nCAM,Camiseta,"1,234.50",,\n',
        ],
    )
    def test_however_it_is_written_it_is_the_same(
        self, esteira: Esteira, tmp_path: Path, text: str, encoding: str
    ) -> None:
        ran = take(esteira, "products", file(tmp_path, text, encoding=encoding))
        assert (ran.code, ran.out) == (0, "products: 2 created, 0 changed, 0 unchanged; 0 rows not taken\n")
        mug, shirt = sorted(held(Product), key=lambda product: product.sku)
        assert (mug.sku, mug.name, mug.gtin, mug.stock_quantity) == ("00123", "Caneca de louça", "7891000315507", D(5))
        assert (shirt.gtin, shirt.stock_quantity) == (None, None)
        prices = {price.product_id: price.list_price for price in held(Price)}
        assert (prices[mug.id], prices[shirt.id]) == (D("29.9"), D("1234.5"))

    def test_the_good_rows_go_in_and_the_bad_ones_are_told_with_line_and_reason(
        self, esteira: Esteira, tmp_path: Path
    ) -> None:
        text = (
            "sku;nome;preco;gtin\nA;Boa;10,00;\n\nB;;10,00;\nC;GTIN errado;10,00;7891000315508\nA;Outra vez;1,00;\n"
            'D;"Nome em\nduas linhas";10,00;\nE;Preço;dez;\nF;sobra;1,00;;;x\n;Sem código;1,00;\nG;Negativo;-1,00;\n'
        )
        ran = take(esteira, "products", file(tmp_path, text))
        assert ran.code == 1
        assert "2 created" in ran.out
        assert {p.sku for p in held(Product)} == {"A", "D"}
        told = {line.split(":")[0]: line for line in ran.err.splitlines() if line.startswith("line ")}
        assert list(told) == [f"line {n}" for n in (4, 5, 6, 9, 10, 11, 12)]
        assert "has no name" in told["line 4"]
        assert "dígito verificador" in told["line 5"]
        assert "the same SKU stands in line 2" in told["line 6"]
        assert "column 'preco'" in told["line 9"]
        assert "'dez'" in told["line 9"]
        assert "has 6 cells, the head has 4" in told["line 10"]
        assert "the SKU is empty" in told["line 11"]
        assert "column 'preco'" in told["line 12"]

    def test_the_same_file_again_changes_nothing_and_a_column_alone_changes_just_that(
        self, esteira: Esteira, tmp_path: Path
    ) -> None:
        take(esteira, "products", file(tmp_path, PRODUCTS))
        assert "0 created, 0 changed, 2 unchanged" in take(esteira, "products", file(tmp_path, PRODUCTS)).out

        erp = asyncio.run(connected())
        prices = file(tmp_path, "sku;preco;nome\n00123;31,00;\nCAM;1.234,50;\n", "precos.csv")
        assert "1 changed, 1 unchanged" in take(esteira, "products", prices).out
        assert [(entry.kind, entry.connection_id) for entry in held(OutboxEntry)] == [("price", erp.id)]
        assert {p.name for p in held(Product)} == {"Caneca de louça", "Camiseta"}, "an empty cell leaves what stands"

    def test_a_dry_run_says_the_same_and_writes_nothing(self, esteira: Esteira, tmp_path: Path) -> None:
        path = file(tmp_path, PRODUCTS + "X;;1,00;;\n")
        dry = take(esteira, "products", path, "--dry-run", "--json")
        assert held(Product) == []
        real = take(esteira, "products", path, "--json")
        assert dry.json == {**real.json, "dry_run": True}
        assert (real.json["created"], [b["line"] for b in real.json["bad"]]) == (2, [4])
        assert (dry.code, real.code) == (1, 1)

    def test_more_rows_than_a_batch_with_parents_after_their_variations(self, esteira: Esteira, tmp_path: Path) -> None:
        rows = [f"CAM-{n};Camiseta {n};variation;CAM;{n},50" for n in range(450)]
        text = "\n".join(["sku;nome;tipo;sku_pai;preco", *rows, "CAM;Camiseta;parent;;"])
        ran = take(esteira, "products", file(tmp_path, text))
        assert (ran.code, "450 of 451 rows" in ran.err or "400 of 451 rows" in ran.err) == (0, True)
        found = held(Product)
        parent = next(p for p in found if p.sku == "CAM")
        assert {p.parent_id for p in found if p.sku != "CAM"} == {parent.id}

    def test_xlsx_with_numbers_and_texts(self, esteira: Esteira, tmp_path: Path) -> None:
        path = workbook(
            tmp_path,
            ["SKU", "Nome", "Preço", "Estoque", "GTIN", "Ativo", "Peso líquido"],
            ["00123", "Caneca", 29.9, 5, 7891000315507, True, 0.3],
            [456, "Prato", "1.234,50", None, None, None, None],
            ["7", "Código perdido", 1, 1, 7.891e15, None, None],
        )
        ran = take(esteira, "products", path)
        assert {p.sku: p.gtin for p in held(Product)} == {"00123": "7891000315507", "456": None}
        assert {p.list_price for p in held(Price)} == {D("29.9"), D("1234.5")}
        assert "line 4" in ran.err
        assert "format the column as text" in ran.err

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("a.csv", "sku;colour\nA;x\n", "the column 'colour'; valid are: sku, nome"),
            ("a.csv", "nome\nA\n", "no column 'sku'"),
            ("a.csv", "", "has no head"),
            ("a.csv", "sku;codigo\nA;B\n", "two columns for 'sku'"),
            ("a.csv", "sku;sku\nA;B\n", "more than once"),
            ("a.txt", "sku\nA\n", "valid are files that end in .csv or .xlsx"),
            ("a.xlsx", "no workbook", "is no XLSX"),
        ],
    )
    def test_a_file_that_does_not_fit_is_one_line(
        self, esteira: Esteira, tmp_path: Path, name: str, text: str, said: str
    ) -> None:
        ran = take(esteira, "products", file(tmp_path, text, name))
        assert ran.code == 1
        assert said in ran.err
        assert ran.err.count("\n") == 1

    def test_an_unknown_merchant_and_a_missing_file_are_told(self, esteira: Esteira, tmp_path: Path) -> None:
        path = file(tmp_path, PRODUCTS)
        assert "there are: loja-sol" in esteira("import", "products", path, "--merchant", "Loja Lua").err
        assert "cannot be read" in take(esteira, "products", tmp_path / "none.csv").err


class TestOrders:
    def test_one_row_an_item_and_the_paid_ones_are_paid_once(self, esteira: Esteira, tmp_path: Path) -> None:
        path = file(tmp_path, ORDERS)
        ran = take(esteira, "orders", path)
        assert (ran.code, ran.out) == (0, "orders: 2 created, 0 changed, 0 unchanged; 0 rows not taken\n")
        first, second = sorted(held(Order), key=lambda order: order.number)
        assert (first.number, first.total, first.state) == ("1001", D(85), "paid")
        assert (second.number, second.state) == ("1002", "created")
        assert first.placed_at.isoformat() == "2026-08-03T12:00:00+00:00"
        lines = [(i.sku, i.quantity) for i in held(OrderItem) if i.order_id == first.id]
        assert lines == [("A", D(2)), ("B", D(1))]
        assert sorted(c.document for c in held(Customer)) == ["", "52998224725"]
        assert "0 created, 0 changed, 2 unchanged" in take(esteira, "orders", path).out
        assert len(held(Payment)) == 1

    def test_a_bad_line_keeps_its_whole_order_out_and_no_other(self, esteira: Esteira, tmp_path: Path) -> None:
        text = (
            "pedido;data;cliente;documento;sku;quantidade;preco_unitario;total\n"
            "1;03/08/2026;Compra Inventada;;A;1;10,00;20,00\n"
            "1;;;;B;um;10,00;\n"
            "2;03/08/2026;Compra Inventada;;A;1;10,00;10,01\n"
            "3;03/08/2026;Compra Inventada;111.111.111-11;A;1;10,00;10,00\n"
            "4;31/02/2026;Compra Inventada;;A;1;10,00;10,00\n"
            "5;03/08/2026;Compra Inventada;;A;1;10,00;20,00\n"
            "5;;Outra Pessoa;;A;1;10,00;\n"
            ";03/08/2026;Compra Inventada;;A;1;10,00;10,00\n"
            "6;03/08/2026;Compra Inventada;;A;1;10,00;10,00\n"
        )
        ran = take(esteira, "orders", file(tmp_path, text), "--json")
        assert ran.code == 1
        assert [o.number for o in held(Order)] == ["6"]
        reasons = {bad["line"]: bad["reason"] for bad in ran.json["bad"]}
        assert list(reasons) == [3, 4, 5, 6, 8, 9]
        assert "column 'quantidade'" in reasons[3]
        assert "stated as 10.01" in reasons[4]
        assert "come to 10.00" in reasons[4]
        assert "column 'documento'" in reasons[5]
        assert "column 'data'" in reasons[6]
        assert "differs from the lines before" in reasons[8]
        assert "111.111" not in ran.out
        assert "Outra Pessoa" not in ran.out
        assert [n.code for n in held(Notice)] == ["order.totals"]

    def test_a_dry_run_writes_no_order_no_payment_and_no_notice(self, esteira: Esteira, tmp_path: Path) -> None:
        path = file(tmp_path, ORDERS.replace("85,00", "85,01"))
        assert "would be 1 created" in take(esteira, "orders", path, "--dry-run").out
        assert held(Order) == held(Payment) == held(Notice) == held(Customer) == []


class TestExport:
    @pytest.mark.parametrize("suffix", ["csv", "xlsx"])
    def test_what_went_out_comes_in_unchanged(self, esteira: Esteira, tmp_path: Path, suffix: str) -> None:
        odd = "sku;nome;preco;peso_liquido;descricao\n'-X=1;'=SOMA(A1);1,2345;0,375;'@risco\n"
        take(esteira, "products", file(tmp_path, PRODUCTS))
        take(esteira, "products", file(tmp_path, odd))
        take(esteira, "orders", file(tmp_path, ORDERS))
        before = [p.model_dump() for p in held(Product)], [o.model_dump() for o in held(Order)]
        assert {"=SOMA(A1)", "@risco"} <= {product[name] for product in before[0] for name in ("name", "description")}
        for what, count in (("products", 3), ("orders", 2)):
            path = tmp_path / f"{what}.{suffix}"
            assert esteira("export", what, path, "--merchant", "loja-sol").code == 0
            assert path.stat().st_mode & 0o077 == 0
            if (what, suffix) == ("orders", "csv"):
                told = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")), delimiter=";")
                assert {row["andamento"] for row in told} == {"aprovado", "em aberto"}
            ran = take(esteira, what, path)
            assert (ran.code, f"0 changed, {count} unchanged" in ran.out) == (0, True), ran.out + ran.err
        assert ([p.model_dump() for p in held(Product)], [o.model_dump() for o in held(Order)]) == before

    def test_a_brazilian_excel_opens_it_and_runs_no_formula(self, esteira: Esteira, tmp_path: Path) -> None:
        take(esteira, "products", file(tmp_path, "sku;nome;preco\n'+1;'=HYPERLINK(1);'-5,00\nA;'-Menos;29,90\n"))
        path = tmp_path / "saida.csv"
        esteira("export", "products", path, "--merchant", "loja-sol")
        raw = path.read_bytes()
        assert raw.startswith(b"\xef\xbb\xbfsku;nome;")
        assert b"\r\n" in raw
        rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";"))
        cells = dict(zip(rows[0], rows[1], strict=True))
        assert (cells["nome"], cells["preco"], cells["ativo"]) == ("'-Menos", "29,90", "sim")
        assert not [cell for row in rows[1:] for cell in row if cell.startswith(("=", "+", "-", "@"))]
        book = tmp_path / "saida.xlsx"
        esteira("export", "products", book, "--merchant", "loja-sol")
        sheet = openpyxl.load_workbook(book).active
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "inlineStr", "n"}
        assert sheet["E2"].value == 29.9

    def test_notices_and_invoices_have_their_words_and_columns(self, esteira: Esteira, tmp_path: Path) -> None:
        take(esteira, "orders", file(tmp_path, ORDERS.replace("85,00", "85,01")))
        path = tmp_path / "avisos.csv"
        assert esteira("export", "notices", path, "--merchant", "loja-sol", "--json").json["rows"] == 1
        text = path.read_text("utf-8-sig")
        assert "Pedido 1001 recusado" in text
        assert "R$\u00a085,01" in text
        empty = tmp_path / "notas.csv"
        assert esteira("export", "invoices", empty, "--merchant", "loja-sol").code == 0
        assert empty.read_text("utf-8-sig").startswith("chave;numero;serie;modelo;")

    def test_a_file_that_is_there_is_replaced_only_on_demand(self, esteira: Esteira, tmp_path: Path) -> None:
        path = file(tmp_path, "mine", "saida.csv")
        ran = esteira("export", "products", path, "--merchant", "loja-sol")
        assert (ran.code, path.read_text()) == (1, "mine")
        assert "--force" in ran.err
        assert esteira("export", "products", path, "--merchant", "loja-sol", "--force").code == 0
        assert "sku" in path.read_text("utf-8-sig")
        nowhere = esteira("export", "products", tmp_path / "no" / "a.csv", "--merchant", "loja-sol")
        assert "cannot be written" in nowhere.err


class TestToken:
    def test_made_listed_and_revoked(self, esteira: Esteira) -> None:
        made = esteira("token", "new", "--merchant", "Loja Sol", "--label", "plataforma")
        secret = made.out.strip()
        assert secret.startswith("est_")
        new = esteira("token", "new", "--merchant", "Loja Nova", "--json")
        assert "'loja-nova' is new" in new.err
        listed = esteira("token", "list", "--json").json["tokens"]
        assert {t["merchant_id"] for t in listed} == {"loja-sol", "loja-nova"}
        assert secret not in json.dumps(listed)
        assert "token_hash" not in listed[0]
        assert esteira("token", "revoke", new.json["id"]).code == 0
        (left,) = esteira("token", "list", "--merchant", "loja-nova", "--json").json["tokens"]
        assert left["revoked_at"] is not None
        assert "there is no token 'x'" in esteira("token", "revoke", "x").err


class TestNumbers:
    @pytest.mark.parametrize(
        ("cell", "value"),
        [
            ("29,90", "29.90"),
            ("29.90", "29.90"),
            ("1.234,50", "1234.50"),
            ("1,234.50", "1234.50"),
            ("1.234.567", "1234567"),
            ("R$ 1.234,50", "1234.50"),
            ("R$\u00a05", "5"),
            ("0,345", "0.345"),
            ("1234,567", "1234.567"),
            ("-3", "-3"),
            ("007", "7"),
        ],
    )
    def test_what_can_be_told_apart_is_read(self, cell: str, value: str) -> None:
        assert Decimals(None).read(cell) == D(value)

    @pytest.mark.parametrize("cell", ["1.234", "1,234", "dez", "1.23.4", "1,2,3", "1e3", "", "--1", "1.234,5,6", "٣"])
    def test_what_cannot_is_refused(self, cell: str) -> None:
        with pytest.raises(NotANumberError):
            Decimals(None).read(cell)

    @pytest.mark.parametrize(("other", "value"), [("29,90", "1234"), ("29.90", "1.234")])
    def test_the_other_cells_tell(self, other: str, value: str) -> None:
        assert Decimals.of([other, "1.234", "5"]).read("1.234") == D(value)

    def test_where_they_contradict_each_other_nothing_is_told(self) -> None:
        with pytest.raises(NotANumberError, match="either thousands or decimals"):
            Decimals.of(["29,90", "29.90"]).read("1.234")

    @given(st.decimals(0, 10**9, places=2), st.sampled_from([(".", ","), (",", "."), ("", ","), ("", ".")]))
    def test_a_number_is_never_read_as_another(self, number: Decimal, marks: tuple[str, str]) -> None:
        thousands, decimal = marks
        written = f"{number:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands)
        assert Decimals(None).read(written) == number


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_a_text_comes_back_as_it_was_but_for_outer_blanks(texts: list[str]) -> None:
    import tempfile

    texts = [t for t in texts if all(c.isprintable() for c in t) and not t.startswith("'")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        write_sheet(path, ["sku", "nome"], [{"sku": "A", "nome": text} for text in texts], force=False)
        found = [str(row.cells["nome"]) for row in read_sheet(path, {"sku", "nome"}).rows]
    assert found == [text.strip() for text in texts]


def test_a_text_too_long_for_a_cell_is_cut_and_said(tmp_path: Path) -> None:
    rows = [{"sku": "A", "nome": "x" * 40_000}]
    assert write_sheet(tmp_path / "a.xlsx", ["sku", "nome"], rows, force=False) == 1
    assert write_sheet(tmp_path / "a.csv", ["sku", "nome"], rows, force=False) == 0
    with pytest.raises(Fault):
        write_sheet(tmp_path / "a.ods", ["sku"], rows, force=False)
