"""Real clients and real faults, over real sockets: what a user's tools and a bad night do to the registry."""
