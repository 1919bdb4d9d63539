"""A real catalogue, where the sample lies beside the repository; its licence keeps it out."""

from pathlib import Path

import pytest

from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows.shop import BUSINESS, Shop, flat, written_in
from tests.flows.truth import expected

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "samples" / "olist"
PRODUCTS = 1799


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=f"there is no {SAMPLE.parent.name}/{SAMPLE.name} beside the repository")
async def test_a_pull_brings_every_product_of_the_real_sample_in(hub_db: Database, sandbox: Sandbox) -> None:
    shop = await Shop.connect(hub_db, sandbox, "tiny_v2", features={"update_lists": True})
    shop.seed(catalog="olist", folder=str(SAMPLE))
    summary = await shop.pull_catalog()
    assert (summary.tally.created, summary.tally.failed) == (PRODUCTS, 0)
    assert {key: flat(product) for key, product in (await shop.products()).items()} == expected(
        "tiny_v2", sandbox.products()
    )
    shop.forget_calls()
    with written_in(hub_db) as tables:
        await shop.pull_catalog()
    assert shop.calls() == {"lista.atualizacoes.produtos": 1}
    assert not tables & {*BUSINESS, "binding"}
