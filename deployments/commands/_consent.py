"""The OAuth consent of a merchant, given in a browser and brought back by hand (`reference/tiny.md §4.1`)."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from deployments.errors import Fault
from hub import texts
from providers.consent import Consent, ConsentError, OAuthApp, exchange
from providers.contract import CallFailed, Outcome


def new(connection_id: str, redirect_uri: str) -> Consent:
    """A consent to be asked for. Raises Fault for a redirect address that is none."""
    try:
        return Consent.new(connection_id, redirect_uri)
    except ConsentError as error:
        raise Fault(f"--redirect-uri {error}") from error


def code_in(consent: Consent, pasted: str) -> str:
    """The code in the address that the consent ended at; a bare code is taken as it is. Raises Fault."""
    try:
        if "code=" not in pasted and "error=" not in pasted:
            if "://" in pasted or not pasted or len(pasted.split()) > 1:
                raise Fault("--code received an address without a code in it: copy the one that the consent ended at")
            consent.verify_age()
            return pasted
        found = {name: values[0] for name, values in parse_qs(urlsplit(pasted).query or pasted.lstrip("?")).items()}
        consent.verify(found.get("state", ""))
    except ConsentError as error:
        raise Fault(str(error)) from error
    if "code" not in found:
        raise Fault(f"the consent was not given ({found.get('error', 'no code')}): run the command again and consent")
    return found["code"]


async def tokens(
    app: OAuthApp, consent: Consent, pasted: str, client_id: str, client_secret: str, kind: str
) -> dict[str, Any]:
    """Exchange the code for a pair of tokens, as `hub.credentials` keeps them. Raises Fault."""
    code = code_in(consent, pasted)
    try:
        return await exchange(app, consent, code, client_id, client_secret)
    except CallFailed as failed:
        raise Fault(_why(failed, texts.system_label(kind))) from failed


def _why(failed: CallFailed, system: str) -> str:
    if failed.code in ("invalid_grant", "invalid_request"):
        return (
            "the code was refused: it works once, for a few minutes at most, and only with the redirect address it was "
            "asked for by; run the command again without --code"
        )
    if failed.outcome is Outcome.REAUTH:
        return f"the app was refused ({failed.code}): check --client-id and --client-secret against those at {system}"
    return f"the code could not be exchanged ({failed}): run the command again without --code"
