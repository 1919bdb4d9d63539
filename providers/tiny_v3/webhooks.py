"""Tiny's webhooks for connections by API v3. A product's details bring its variations, so the product alone is read."""

from providers.contract import Event
from providers.tiny_webhooks import HAS_SECRET, TOPICS, authentic
from providers.tiny_webhooks import read as read_any

__all__ = ["HAS_SECRET", "TOPICS", "authentic", "read"]


def read(topic: str, body: bytes, media_type: str) -> Event:
    """What the event says. Raises UnreadableEventError."""
    return read_any(topic, body, media_type, variations=False)
