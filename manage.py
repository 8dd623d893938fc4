#!/usr/bin/env python
"""Run a management command: python manage.py COMMAND."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    from config.env import one_line_for_a_bad_setting

    with one_line_for_a_bad_setting():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
