"""A simulator of Olist Tiny ERP (API v2 and v3), written from `reference/tiny.md` and Tiny's OpenAPI file."""
