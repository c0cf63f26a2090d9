"""The OCI distribution API: one lean ASGI application, and the token service beside it."""
