#!/usr/bin/env python3
"""scim2-cli, with what its tester lacks: it fills a writable dateTime with a random string, which its own model of the
resource then refuses, so that no check of such an attribute reaches the server."""

import datetime
import sys

from scim2_tester import filling

example = filling.get_random_example_value


def with_instants(path):
    binding = path.resolve()
    if binding is not None and binding.target_type is datetime.datetime:
        return datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    return example(path)


filling.get_random_example_value = with_instants

from scim2_cli import cli  # noqa: E402 after the tester is complete

sys.exit(cli())
