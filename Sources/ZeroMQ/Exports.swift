// A poller waits for wakeups beside sockets: who uses one uses the other.
@_exported import StatexThreads
