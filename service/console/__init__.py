"""The console: what officers, auditors and admins see in a browser, made on the server."""
