"""`esteira connect`: one verb a system."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer


class Api(StrEnum):
    """Tiny's two APIs; the merchant picks one."""

    V2 = "v2"
    V3 = "v3"


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    connect = typer.Typer(help="Connect a merchant's account of one system, or give it new credentials.")
    connect.callback()(_one_verb_a_system)
    connect.command("tiny")(tiny)
    connect.command("contaazul")(contaazul)
    connect.command("tagplus")(tagplus)
    app.add_typer(connect, name="connect")


def tiny(
    merchant: Annotated[str, typer.Option(help="The shop's name; a new one is made a merchant.")],
    api: Annotated[Api, typer.Option(help="v2 (token) or v3 (OAuth).")] = Api.V2,
    token: Annotated[
        str | None,
        typer.Option(envvar="ESTEIRA_TINY_TOKEN", help="v2: asked for, without echo, if it is not given."),
    ] = None,
    client_id: Annotated[
        str | None, typer.Option(envvar="ESTEIRA_TINY_CLIENT_ID", help="v3: of the app in Tiny.")
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option(envvar="ESTEIRA_TINY_CLIENT_SECRET", help="v3: asked for, without echo, if it is not given."),
    ] = None,
    redirect_uri: Annotated[
        str | None, typer.Option(help="v3: the address registered on the app; it need not answer.")
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="v3: the address that the consent ended at, or the code in it.")
    ] = None,
    access_token: Annotated[str | None, typer.Option(help="v3: a pair that was obtained elsewhere.")] = None,
    refresh_token: Annotated[str | None, typer.Option(help="v3: works once; nobody else may use it.")] = None,
    connection: Annotated[str, typer.Option(help="The connection's id; default: made of merchant and system.")] = "",
    policy: Annotated[
        list[str] | None, typer.Option(help="A choice, as key=value; may be repeated. An empty value is the default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Connect an account of Olist Tiny and check it.

    v3 takes two steps where nobody sits at the terminal: the first prints the address of the consent, the second gets
    what came of it by --code.
    """
    from deployments.commands._connecting import Given, run  # noqa: PLC0415 slow, see the package

    given = Given(
        kind=f"tiny_{api.value}",
        merchant=merchant,
        connection=connection,
        policy=tuple(policy or ()),
        token=token,
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=redirect_uri,
        code=code,
        access_token=access_token,
        refresh_token=refresh_token,
    )
    raise typer.Exit(asyncio.run(run(given, as_json=as_json)))


def contaazul(
    merchant: Annotated[str, typer.Option(help="The shop's name; a new one is made a merchant.")],
    client_id: Annotated[
        str | None, typer.Option(help="Of an app of the merchant's own; default: ESTEIRA_CONTAAZUL_CLIENT_ID.")
    ] = None,
    client_secret: Annotated[
        str | None, typer.Option(help="Of that app; asked for, without echo, if it is not given.")
    ] = None,
    redirect_uri: Annotated[
        str | None, typer.Option(help="The address registered on the app; default: this hub's own door.")
    ] = None,
    code: Annotated[str | None, typer.Option(help="The address that the consent ended at, or the code in it.")] = None,
    access_token: Annotated[str | None, typer.Option(help="A pair that was obtained elsewhere.")] = None,
    refresh_token: Annotated[str | None, typer.Option(help="Works once; nobody else may use it.")] = None,
    connection: Annotated[str, typer.Option(help="The connection's id; default: made of merchant and system.")] = "",
    policy: Annotated[
        list[str] | None, typer.Option(help="A choice, as key=value; may be repeated. An empty value is the default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Connect a company's account of Conta Azul and check it.

    It prints the address of the consent. Where that comes back to this hub's web app nothing more is to be done; with
    an app for development, whose redirect address is fixed, a second step gets what came of it by --code.
    """
    from deployments.commands._connecting import Given, run  # noqa: PLC0415 slow, see the package

    given = Given(
        kind="contaazul",
        merchant=merchant,
        connection=connection,
        policy=tuple(policy or ()),
        token=None,
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=redirect_uri,
        code=code,
        access_token=access_token,
        refresh_token=refresh_token,
    )
    raise typer.Exit(asyncio.run(run(given, as_json=as_json)))


def tagplus(
    merchant: Annotated[str, typer.Option(help="The shop's name; a new one is made a merchant.")],
    client_id: Annotated[
        str | None, typer.Option(help="Of an app of the merchant's own; default: ESTEIRA_TAGPLUS_CLIENT_ID.")
    ] = None,
    client_secret: Annotated[
        str | None, typer.Option(help="Of that app; asked for, without echo, if it is not given.")
    ] = None,
    redirect_uri: Annotated[
        str | None, typer.Option(help="The address registered on the app; default: this hub's own door.")
    ] = None,
    code: Annotated[str | None, typer.Option(help="The address that the consent ended at, or the code in it.")] = None,
    access_token: Annotated[str | None, typer.Option(help="A pair that was obtained elsewhere.")] = None,
    refresh_token: Annotated[str | None, typer.Option(help="Works once; nobody else may use it.")] = None,
    connection: Annotated[str, typer.Option(help="The connection's id; default: made of merchant and system.")] = "",
    policy: Annotated[
        list[str] | None, typer.Option(help="A choice, as key=value; may be repeated. An empty value is the default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Connect a company's account of TagPlus and check it.

    It prints the address of the consent. TagPlus sends the merchant back to the address that is registered with the app
    and to no other: where that is this hub's web app nothing more is to be done, else a second step gets what came of
    it by --code.
    """
    from deployments.commands._connecting import Given, run  # noqa: PLC0415 slow, see the package

    given = Given(
        kind="tagplus",
        merchant=merchant,
        connection=connection,
        policy=tuple(policy or ()),
        token=None,
        client_id=client_id,
        client_secret=client_secret,
        redirect_uri=redirect_uri,
        code=code,
        access_token=access_token,
        refresh_token=refresh_token,
    )
    raise typer.Exit(asyncio.run(run(given, as_json=as_json)))


def _one_verb_a_system() -> None:
    """Without this, typer takes a group of one verb for that verb."""
