#!/usr/bin/env python3
"""Run a management command, with the embedded servers where no DATABASE_URL is set."""

import os
import sys

# These need no database, so they start none.
WITHOUT_SERVERS = {
    "help", "version", "--help", "--version", "check", "collectstatic", "compilemessages",
    "makemessages", "spectacular", "startapp", "diffsettings",
}  # fmt: skip
# These change tables, grants or what was signed, which the application's role may not.
AS_OWNER = {
    "migrate", "apply_grants", "flush", "sqlflush", "prepare", "dbshell", "backup", "restore",
    "demo",
}  # fmt: skip


def main() -> None:
    """Hand the arguments to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "xraydx.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    if command in AS_OWNER:
        os.environ.setdefault("XRAYDX_DATABASE_ROLE", "owner")
    from xraydx import embedded

    try:
        with embedded.attached(start=command not in WITHOUT_SERVERS):
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except embedded.ServerError as error:
        sys.exit(f"xraydx: {error}")


if __name__ == "__main__":
    main()
