"""The operations of `/v1`, a module for each noun. `service.web` says how one is added."""
