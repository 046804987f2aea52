import StatexProtocol

// What a client hears within a session.

extension ClientProcess {
    func received(_ bytes: [UInt8]) {
        let span = bytes.span.bytes
        do throws(WireError) {
            let header = try Header(reading: span)
            if header.type == .welcome { return welcomed(try Welcome(reading: span, header: header)) }
            if header.type == .fault { return faulted(try Fault(reading: span, header: header)) }
            guard case .up(let stamp) = link, header.stamp == stamp else { return }
            heardAt = world.now
            switch header.type {
            case .accepted:
                var cursor = try header.recordCursor(atLeast: AcceptedRun.size)
                for _ in 0..<header.count { accepted(try AcceptedRun(reading: &cursor, header: header, in: span)) }
            case .refused:
                var cursor = try header.recordCursor(atLeast: RefusedRun.size)
                for _ in 0..<header.count { refused(try RefusedRun(reading: &cursor, header: header, in: span)) }
            case .results:
                var cursor = try header.recordCursor(atLeast: ResultRecord.size)
                for _ in 0..<header.count { found(try ResultRecord(reading: &cursor, header: header, in: span)) }
            case .progress:
                var cursor = try header.recordCursor(atLeast: ProgressRecord.size)
                for _ in 0..<header.count {
                    let record = try ProgressRecord(reading: &cursor, header: header, in: span)
                    let piece = Array(bytes[record.pieceStart..<record.pieceStart + Int(record.pieceLength)])
                    world.progressed(client: place, record, piece, by: newest)
                }
            case .cancelled:
                var cursor = try header.recordCursor(atLeast: CancelRecord.size)
                for _ in 0..<header.count { cancelled(try CancelRecord(reading: &cursor, header: header, in: span)) }
            default: break
            }
        } catch {
            world.violation("client \(place) did not understand a message: \(error)")
        }
    }

    private func accepted(_ run: AcceptedRun) {
        for offset in 0..<UInt64(run.requests) {
            let index = Int(run.sequence + offset) - 1
            guard requests.indices.contains(index) else {
                return world.violation("client \(place): sequence \(run.sequence + offset) was never sent")
            }
            let first = run.firstID.rawValue + offset * UInt64(run.jobsEach)
            if run.duplicate {
                world.duplicated(requests[index], by: first, of: newest)
                if requests[index].answer == .none { requests[index].answer = .duplicate }
                continue
            }
            world.acknowledged(
                client: place, sequence: run.sequence + offset, first: first, count: Int(run.jobsEach),
                plan: requests[index].plan, by: newest)
            if let cause = requests[index].repeatedBy { world.hit(cause) }
            requests[index].repeatedBy = nil
            guard requests[index].answer == .none else { continue }
            requests[index].answer = .accepted(first: first)
        }
    }

    private func refused(_ run: RefusedRun) {
        world.mark(run.retryAfterMilliseconds > 0 ? "submit refused as busy" : "submit refused")
        for offset in 0..<Int(run.requests) {
            let index = Int(run.sequence) + offset - 1
            guard requests.indices.contains(index), requests[index].waitsToBeSent else { continue }
            if run.retryAfterMilliseconds > 0 {
                requests[index].sendAt = world.now + Int64(run.retryAfterMilliseconds) * 1_000_000
            } else {
                requests[index].answer = .refused(code: run.code)
                world.refused(client: place, code: run.code, plan: requests[index].plan)
            }
        }
    }

    private func found(_ record: ResultRecord) {
        guard let state = record.state else { return unknown(record.id.rawValue) }
        guard state.isFinal else { return }
        for index in requests.indices {
            guard case .accepted(let first) = requests[index].answer, record.id.rawValue >= first,
                record.id.rawValue < first + UInt64(requests[index].finals.count)
            else { continue }
            requests[index].finals[Int(record.id.rawValue - first)] = state
        }
        world.toldFinal(client: place, id: record.id.rawValue, state: state, by: newest)
    }

    /// Only a journal that was restored may have forgotten it.
    private func unknown(_ id: UInt64) {
        guard world.vanished.contains(id) else {
            return world.violation("job \(id) was acknowledged and is unknown")
        }
        for index in requests.indices {
            guard case .accepted(let first) = requests[index].answer, id >= first,
                id < first + UInt64(requests[index].finals.count)
            else { continue }
            requests[index].answer = .vanished
        }
    }

    private func cancelled(_ record: CancelRecord) {
        for index in requests.indices {
            guard case .accepted(let first) = requests[index].answer, first == record.id.rawValue else { continue }
            requests[index].isCancelled = true
            if let cause = requests[index].cancelledBy, record.jobs > 0 { world.hit(cause) }
        }
    }
}
