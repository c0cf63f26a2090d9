"""The distribution specification as tests: a file per section, a class per subsection, a test per sentence."""
