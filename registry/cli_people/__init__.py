"""The verbs for users, groups, robots, tokens and grants: what was typed goes to `core`, what it says is printed."""
