import StatexProtocol

// Which jobs of a request wait for which.

extension RequestPacker {
    /// What a job waits for, as the protocol has it: each job once, in rising order.
    static func dependencies(of job: JobSpec, fail: Bool) -> [JobDependency] {
        let inputs = Set(job.inputs)
        return inputs.union(job.after).sorted().map {
            JobDependency(on: UInt16($0), isInput: inputs.contains($0), failsDependant: fail)
        }
    }

    static func checkDependencies(of request: Request) throws(ClientError) {
        var total = 0
        for (index, job) in request.jobs.enumerated() where !job.after.isEmpty || !job.inputs.isEmpty {
            for (list, field) in [(job.after, "after"), (job.inputs, "inputs")] {
                guard let wrong = list.first(where: { !(0..<index).contains($0) }) else { continue }
                throw .invalid(
                    "\(field) of job \(index) names job \(wrong), it takes jobs of the request that stand before it: put each job behind those that it waits for"
                )
            }
            let inputs = Set(job.inputs)
            guard inputs.count <= Limits.inputs else {
                throw .invalid(
                    "job \(index) takes the results of \(inputs.count) jobs, the limit is \(Limits.inputs): gather them in steps"
                )
            }
            let dependencies = dependencies(of: job, fail: request.failsDependants)
            total += dependencies.count
            guard total <= Limits.dependenciesInRequest else {
                throw .invalid(
                    "the jobs up to job \(index) have \(total) dependencies together, the limit of a request is \(Limits.dependenciesInRequest)"
                )
            }
            let bytes = JobOptions.afterBytes(dependencies)
            guard bytes <= Limits.optionsBytes / 2 else {
                throw .invalid(
                    "what job \(index) waits for takes \(bytes) bytes, the limit is \(Limits.optionsBytes / 2): name jobs in a row, or a job that waits for some of them"
                )
            }
        }
    }
}
