"""Olist Tiny, API v3: REST and JSON with OAuth, whose refresh tokens work once."""
