"""Olist Tiny, API v2: one URL a service, form posts, a static token, every error under HTTP 200."""
