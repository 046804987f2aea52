import StatexClient
import StatexProtocol
import StatexReads

extension SchedulerLink {
    /// Jobs as they are shown: each says why it waits, if it does. Only the scheduler knows; when it is away, busy for
    /// longer than `GatewayLimits.explainPatience`, or asked of too many, nothing is said.
    func explained(_ jobs: JobRows, for identity: Identity) async -> Listing {
        let ids = zip(jobs.list.rows, jobs.states).lazy.filter { !$1.isFinal }
            .compactMap { $0.0[0].flatMap { JobID($0) } }.prefix(GatewayLimits.listMaximum)
        let reasons = await explanations(of: Array(ids))
        func reason(_ row: JournalReader.Row) -> Explanation? { row[0].flatMap { JobID($0) }.flatMap { reasons[$0] } }
        let isOfTenant = identity.tenant != nil
        return jobs.list.adding("waiting_reason") { reason($0)?.reason.name }
            .adding("waiting_because") { isOfTenant ? reason($0)?.sentenceForTenant : reason($0)?.sentence }
    }

    private func explanations(of ids: [JobID]) async -> [JobID: Explanation] {
        await memory.reasons(of: ids) { ids in await ask(Array(ids.prefix(explains.take(ids.count)))) }
    }

    private func ask(_ ids: [JobID]) async -> [JobID: Explanation] {
        guard !ids.isEmpty, let client = try? client() else { return [:] }
        return await withTaskGroup(of: [JobID: Explanation]?.self) { group in
            group.addTask { await client.explanations(of: ids) }
            group.addTask {
                try? await Task.sleep(for: GatewayLimits.explainPatience)
                return nil
            }
            defer { group.cancelAll() }
            return await group.next().flatMap { $0 } ?? [:]
        }
    }
}

extension Client {
    /// Of those of these jobs that wait. All are asked at once: the client sends them in a few messages.
    fileprivate func explanations(of ids: [JobID]) async -> [JobID: Explanation] {
        await withTaskGroup(of: Explanation?.self) { group in
            for id in ids {
                group.addTask {
                    let found = try? await self.explain(job: id)
                    return found.flatMap { $0.state == nil || $0.reason == .none ? nil : $0 }
                }
            }
            return await group.reduce(into: [:]) { all, one in
                if let one { all[one.id] = one }
            }
        }
    }
}
