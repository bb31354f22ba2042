"""The process: sockets, uvicorn, workers, signals and reloads."""
