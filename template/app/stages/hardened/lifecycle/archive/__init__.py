"""One tenant as a file: what it holds is written in docs/hardened/lifecycle.md."""
