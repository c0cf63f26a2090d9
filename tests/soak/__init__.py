"""The soak: pushers and deleters at several replicas that are killed at random, while everything is collected."""
