import StatexProtocol
import StatexSchedulerCore

// What attempts say before they end: from workers to the core, and on to who follows.

extension SchedulerProcess {
    func attemptsSaid(_ peer: SchedulerPeer, _ header: Header, _ bytes: borrowing RawSpan) throws(WireError) {
        if header.type == .report {
            var records: [ProgressRecord] = []
            var cursor = try header.recordCursor(atLeast: ProgressRecord.size)
            for _ in 0..<header.count {
                records.append(try ProgressRecord(reading: &cursor, header: header, in: bytes))
            }
            let refused = core.counts.staleReports
            core.progressReported(
                records, bytes: bytes, tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: clock, into: &out)
            if core.counts.staleReports > refused { world.reportRefused(of: peer.incarnation) }
        } else {
            var records: [CheckpointRecord] = []
            var cursor = try header.recordCursor(atLeast: CheckpointRecord.size)
            for _ in 0..<header.count {
                records.append(try CheckpointRecord(reading: &cursor, header: header, in: bytes))
            }
            core.checkpointsHandedOver(
                records, bytes: bytes, tokensOf: header.incarnation, worker: peer.worker, session: peer.session,
                at: clock)
        }
    }

    /// A client that does not keep up goes without.
    func write(_ effect: StatexSchedulerCore.Outbox.Progress) {
        guard let peer = sessions[effect.client], peer.parked.isEmpty else { return }
        world.progressLeft(effect.record, by: self)
        let bytes = Array(out.progressBytes[effect.bytes])
        append(.progress, ProgressRecord.size, to: peer) { buffer in
            effect.record.write(to: &buffer)
            buffer.append(bytes)
        }
    }
}
