"""The registry's rules, in terms of ports. Decides; never touches a file, a socket or a clock."""
