import StatexClient
import StatexProtocol

/// What a submit asks for, and what came of it.
struct Submission: Sendable {
    private var request: Request
    var tenant: String { request.tenant }

    /// - Parameter key: of the header Idempotency-Key.
    /// - Parameter trace: for jobs that name none.
    init(_ body: SubmitBody, key: String?, trace: TraceContext?, by identity: Identity) throws(Problem) {
        if let own = identity.tenant, let named = body.tenant, named != own {
            throw .forbidden("the token is of tenant \(own): tenant must be that, or left out")
        }
        var request = Request(body.jobs.map(\.job), tenant: identity.tenant ?? body.tenant ?? "default", key: key)
        request.failsDependants = body.failsDependants
        request.unique = body.unique?.uniqueness
        if let trace {
            for index in request.jobs.indices where request.jobs[index].traceparent == nil {
                request.jobs[index].traceparent = trace
            }
        }
        self.request = request
    }

    /// Has the first job found by one more tag.
    mutating func add(tag: String) throws(Problem) {
        guard request.jobs[0].tags.count < JobOptions.tags else {
            throw .field("jobs[0].tags", "must be at most \(JobOptions.tags - 1) beside webhook, which is one more")
        }
        request.jobs[0].tags.append(tag)
    }

    /// Returns when it is durable.
    func send(over client: Client) async throws(Problem) -> Receipt {
        do throws(ClientError) {
            return Receipt(try await client.submit(request), tenant: request.tenant)
        } catch {
            throw Problem(submitting: error, isKeyed: request.key != nil)
        }
    }

    struct Receipt: Sendable {
        let id: JobID
        /// Whether it is new; else it was submitted before, or another one stands in its place.
        let isNew: Bool
        let tenant: String
        let jobs: Int
        let json: JSONText

        fileprivate init(_ handle: RequestHandle, tenant: String) {
            id = handle.id
            self.tenant = tenant
            jobs = handle.jobIDs.count
            isNew = !handle.isRepeated && !handle.isDuplicate
            var text = JSONText()
            text.object {
                $0.member("id", handle.id.description)
                $0.member("tenant", tenant)
                $0.strings("job_ids", handle.jobIDs.map(\.description))
                $0.member("repeated", handle.isRepeated)
                $0.member("duplicate", handle.isDuplicate)
            }
            json = text
        }
    }
}
