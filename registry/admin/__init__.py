"""The administration API: people, their credentials and their grants, as JSON below `/api/v1`."""
