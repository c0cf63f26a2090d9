"""Builders of content, a client and running servers, shared by every kind of test."""
