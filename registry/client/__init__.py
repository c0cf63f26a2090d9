"""A registry seen from outside: what is pulled from it, over HTTP. Knows nothing of ours but the vocabulary."""
