"""``python -m hushlink_client``: the command ``hushlink``."""

from hushlink_client import cli

if __name__ == "__main__":
    cli.main()
