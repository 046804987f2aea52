import StatexHandOff
import StatexReads
import StatexThreads

/// Answers whose jobs are, over a connection of its own: only where keys are for some tenants does anybody ask.
struct TenantDesk {
    let url: String
    let handOff: HandOff

    func begin() {
        NamedThread("tenants") { run() }.detach()
    }

    private func run() {
        var left: [TenantQuestion] = []
        while true {
            if left.isEmpty { handOff.tenantWakeup.wait() }
            left += handOff.tenantQuestions.takeAll()
            guard !left.isEmpty else { continue }
            do throws(ReadError) {
                try answer(&left, over: try JournalReader(url: url, name: "tenants", limit: .seconds(10)))
            } catch {
                // Who asked asks again.
                for question in left { put(TenantAnswer(tag: question.tag, failure: error.description)) }
                left = []
            }
        }
    }

    /// Serves over one connection until it is lost; what is not answered then stays in `left`.
    private func answer(_ left: inout [TenantQuestion], over reader: consuming JournalReader) throws(ReadError) {
        while true {
            while let question = left.first {
                let own = try reader.owned(jobs: question.jobs, requests: question.requests, by: question.tenants)
                left.removeFirst()
                put(TenantAnswer(tag: question.tag, jobs: own.jobs, requests: own.requests))
            }
            handOff.tenantWakeup.wait()
            left = handOff.tenantQuestions.takeAll()
        }
    }

    private func put(_ answer: TenantAnswer) { handOff.tenantAnswers.put(answer) }
}
