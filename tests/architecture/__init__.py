"""The house rules as tests: arrows, homes of libraries, shape of files, and documents that tell the truth."""
