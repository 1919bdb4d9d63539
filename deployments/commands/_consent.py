"""The OAuth consent of a merchant, given in a browser and brought back by hand (`reference/tiny.md §4.1`)."""

import hmac
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from deployments.errors import Fault
from hub.clock import utcnow
from hub.settings import settings
from providers.contract import CallFailed, Outcome
from providers.oauth import token_request


@dataclass(frozen=True)
class Consent:
    """One consent that was asked for. What comes back must carry its `state`."""

    state: str
    redirect_uri: str

    @classmethod
    def new(cls, redirect_uri: str) -> Self:
        """A consent to be asked for. Raises Fault for a redirect address that is none."""
        parts = urlsplit(redirect_uri)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
            raise Fault(f"--redirect-uri received {redirect_uri!r}; valid is the http(s) address registered on the app")
        return cls(secrets.token_urlsafe(24), redirect_uri)

    @classmethod
    def read(cls, stored: Any) -> Self | None:
        """The consent that was asked for earlier, from the connection's credentials."""
        return cls(**stored) if isinstance(stored, dict) else None

    def as_dict(self) -> dict[str, str]:
        """What is stored until it comes back."""
        return asdict(self)

    def address(self, client_id: str) -> str:
        """Where the merchant gives the consent."""
        query = {
            "client_id": client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid",
            "response_type": "code",
            "state": self.state,
        }
        return f"{settings().tiny_v3_authorize_url}?{urlencode(query)}"

    def code_in(self, pasted: str) -> str:
        """The code in the address that the consent ended at; a bare code is taken as it is. Raises Fault."""
        if "code=" not in pasted and "error=" not in pasted:
            if "://" in pasted or not pasted or len(pasted.split()) > 1:
                raise Fault("--code received an address without a code in it: copy the one that the consent ended at")
            return pasted
        found = {name: values[0] for name, values in parse_qs(urlsplit(pasted).query or pasted.lstrip("?")).items()}
        if not hmac.compare_digest(found.get("state", "").encode(), self.state.encode()):
            raise Fault("that address belongs to another consent (its state differs): use the newest printed address")
        if "code" not in found:
            raise Fault(
                f"the consent was not given ({found.get('error', 'no code')}): run the command again and consent"
            )
        return found["code"]


async def exchange(consent: Consent, pasted: str, client_id: str, client_secret: str) -> dict[str, Any]:
    """Exchange the code for a pair of tokens, as `hub.credentials` keeps them. Raises Fault."""
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "client_secret": client_secret,
        "redirect_uri": consent.redirect_uri,
        "code": consent.code_in(pasted),
    }
    try:
        answer = await token_request(settings().tiny_v3_token_url, form)
    except CallFailed as failed:
        raise Fault(_why(failed)) from failed
    lifetime = str(answer.get("expires_in") or 0)
    seconds = int(lifetime) if lifetime.isdigit() else 0
    return {
        "access_token": str(answer["access_token"]),
        "refresh_token": str(answer.get("refresh_token") or ""),
        "expires_at": (utcnow() + timedelta(seconds=seconds)).isoformat() if seconds else None,
        "lifetime_s": seconds,
    }


def _why(failed: CallFailed) -> str:
    if failed.code == "invalid_grant":
        return (
            "the code was refused: it works once, for about a minute, and only with the redirect address it was asked "
            "for by; run the command again without --code"
        )
    if failed.outcome is Outcome.REAUTH:
        return f"the app was refused ({failed.code}): check --client-id and --client-secret against Tiny's list of apps"
    return f"the code could not be exchanged ({failed}): run the command again without --code"
