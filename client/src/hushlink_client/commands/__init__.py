"""The subcommands of ``hushlink``, one module each; each has its ``command``."""
