"""How HTTP reaches an ASGI application: processes, sockets, connections. It knows nothing of a registry.

serve       one process or several, their sockets and signals
  sockets     listening               supervisor   processes that die are replaced; a dead parent leaves no orphans
protocol    one connection: requests in turn, and its end
  reading     bytes to requests       framing      what is refused          gather     bodies in, by the limit
  cycle       request and response    outlet       bytes and files out      sendfile   files, without passing through
  relay       from another connection, without passing through
  patience    who waits too long      limits       every number             access_log a line per request
"""
