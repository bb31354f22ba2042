"""Send one HttpRequest, return one HttpResponse, and drive exchanges. The only rooms that do network I/O."""
