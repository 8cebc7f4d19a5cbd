"""Exit with 0 if the service in this container answers a path (`/livez`, `/readyz`) with 200."""

import http.client
import os
import sys

_SECONDS_MAX = 4


def main() -> int:
    """Ask the service on its own port."""
    port = int(os.environ["TIDEGATE_HTTP_PORT"])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS_MAX)
    try:
        connection.request("GET", sys.argv[1])
        return 0 if connection.getresponse().status == http.HTTPStatus.OK else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
