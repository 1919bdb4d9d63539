"""A simulated TagPlus (API 2.0, OAuth, webhooks) after `reference/tagplus.md`."""
