"""Sends every kind of call with the unmodified SDK that is on the path, and prints its errors as JSON.

Arguments: HOST WRITE_KEY COUNT gzip|plain. Run by test_clients.py with the SDK's own packages.
"""

import json
import sys

from segment.analytics.client import Client


def main() -> None:
    host, write_key, count, packing = sys.argv[1:]
    errors: list[str] = []
    client = Client(
        write_key, host=host, gzip=packing == "gzip", on_error=lambda error, _: errors.append(str(error))
    )
    context = {"groupId": "acme"}
    client.identify("ann", {"role": "admin"}, context=context)
    client.group("ann", "acme", {"plan": "pro"})
    client.page("ann", None, "Home", context=context)
    client.screen("ann", None, "Start", context=context)
    client.alias("device-1", "ann", context=context)
    client.track("ann", "Signed In", context=context)
    for number in range(int(count)):
        client.track("ann", "Report Exported", {"n": number}, context=context)
    client.flush()
    client.join()
    sys.stdout.write(json.dumps(errors))


main()
