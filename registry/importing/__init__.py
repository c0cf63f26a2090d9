"""Taking over what another registry keeps: a source is read, and pushed by the services that clients push by."""
