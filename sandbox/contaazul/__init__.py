"""A simulator of the Conta Azul API (api-v2), written from `reference/contaazul.md` and the vendor's OpenAPI files."""
