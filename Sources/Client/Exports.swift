// One import is enough for a user: ids, states and limits (Protocol), and payloads (the handler API).
@_exported import StatexHandlerAPI
@_exported import StatexProtocol
