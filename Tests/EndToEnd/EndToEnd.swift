// Real processes, a real Postgres, real sockets: what Statex promises when its parts are killed,
// stopped, replaced or cut off. Tests wait on signals (a process ends, a result comes, a handler says
// that it runs) with a deadline, never for a time. docs/testing.md tells how to run and to replay them.

import Testing

/// One test at a time: each starts up to six processes, and its deadlines are made for a quiet machine.
@Suite(.serialized, .timeLimit(.minutes(2))) enum EndToEnd {}
