"""Every setting of the hub, read from the environment and from `.env` (see `.env.example`, which explains each)."""

import functools
from pathlib import Path
from typing import Literal

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What may be set, each as `ESTEIRA_<NAME>`; the defaults run everything embedded on one machine."""

    model_config = SettingsConfigDict(env_prefix="ESTEIRA_", env_file=".env", extra="ignore")

    home: Path = Path(".esteira")
    database_url: str = ""
    secret_keys: SecretStr = SecretStr("")
    index_key: SecretStr = SecretStr("")

    web_port: int = 8080
    prefect_port: int = 4200
    sandbox_port: int = 8790
    bind_host: str = "127.0.0.1"
    public_url: str = ""
    consent_minutes: int = 30

    prefect_database_url: str = ""
    prefect_auth: SecretStr = SecretStr("")
    runs_at_once: int = 4

    log_level: str = "INFO"
    connections_at_once: int = 20
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 30.0
    retry_attempts: int = 5
    retry_first_wait_s: float = 1.0
    lease_ttl_s: float = 60.0
    quota_share: float = 0.985
    quota_clock_rate: float = 1.0

    tiny_v2_url: str = "https://api.tiny.com.br/api2"
    tiny_v3_url: str = "https://api.tiny.com.br/public-api/v3"
    tiny_v3_authorize_url: str = "https://accounts.tiny.com.br/realms/tiny/protocol/openid-connect/auth"
    tiny_v3_token_url: str = "https://accounts.tiny.com.br/realms/tiny/protocol/openid-connect/token"  # noqa: S105 an address, not a secret

    contaazul_api_url: str = "https://api-v2.contaazul.com"
    contaazul_authorize_url: str = "https://login.contaazul.com/#/oauth/authorize"
    contaazul_token_url: str = "https://api-v2.contaazul.com/oauth/token"  # noqa: S105 an address, not a secret
    contaazul_scope: str = "openid profile aws.cognito.signin.user.admin"
    contaazul_code_challenge: Literal["", "S256"] = ""
    contaazul_client_id: str = ""
    contaazul_client_secret: SecretStr = SecretStr("")
    contaazul_search_lag_s: float = 5.0

    tagplus_api_url: str = "https://api.tagplus.com.br"
    tagplus_authorize_url: str = "https://developers.tagplus.com.br/authorize"
    tagplus_token_url: str = "https://api.tagplus.com.br/oauth2/token"  # noqa: S105 an address, not a secret
    tagplus_files_origin: str = ""
    tagplus_scope: str = (
        "write:produtos write:clientes write:pedidos write:webhooks read:nfes read:formas_pagamento read:usuarios "
        "read:unidades read:cidades read:tipos_contatos read:tipos_cadastros read:registro_atividades read:me"
    )
    tagplus_client_id: str = ""
    tagplus_client_secret: SecretStr = SecretStr("")
    tagplus_search_lag_s: float = 5.0
    tiny_search_lag_s: float = 10.0

    inbox_quiet_s: float = 30.0
    inbox_poll_s: float = 0.2
    inbox_days: int = 14
    hooks_per_second: float = 100.0
    hooks_burst: int = 5000

    smtp_host: str = ""
    smtp_port: int = 587
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = ""

    @field_validator("quota_share")
    @classmethod
    def _share_leaves_room(cls, value: float) -> float:
        if not 0 < value < 1:
            raise ValueError(
                f"ESTEIRA_QUOTA_SHARE must lie between 0 and 1, got {value}: the rest of the vendor's window is "
                "what absorbs the network's jitter"
            )
        return value

    @property
    def door(self) -> str:
        """The address at which browsers reach the web app, without a slash at its end."""
        return self.public_url.rstrip("/") or f"http://localhost:{self.web_port}"

    @property
    def database(self) -> str:
        """The SQLAlchemy address of the hub's database: the one set, or SQLite under `home`."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.home / 'esteira.db').absolute()}"


@functools.cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
