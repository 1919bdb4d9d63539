"""The FastAPI app: health, documents of the API, and the doors that come later."""
