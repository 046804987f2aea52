import StatexClient
import StatexObjects
import StatexProtocol

// What a submit is when it came as a form.

extension SubmitBody {
    /// With a part `request`, its jobs name the files. Without one, each file and each text is a job.
    init(_ form: UploadedForm) throws(Problem) {
        if let request = form.request {
            let files = try form.items.map { item throws(Problem) in
                guard case .file(let file) = item else {
                    throw Problem.field("text", "stands beside request; give it as the payload of a job there")
                }
                return file
            }
            self = request
            try attach(files)
        } else {
            guard !form.items.isEmpty else { throw .field("form", "has neither a request, nor a text, nor a file") }
            self.init(jobs: form.items.map { JobBody($0.job) })
        }
    }

    /// Gives each job that names a file its payload.
    mutating func attach(_ files: [UploadedForm.File]) throws(Problem) {
        var named: Set<String> = []
        for (index, job) in jobs.enumerated() {
            guard let name = job.file else { continue }
            let found = files.filter { $0.field == name }
            guard let file = found.first, found.count == 1 else {
                throw .field(
                    "jobs[\(index)].file",
                    found.isEmpty
                        ? "names no file of the form: each is a part of multipart/form-data with a filename"
                        : "names \(found.count) files; give each a field of its own")
            }
            named.insert(name)
            jobs[index].job.payload = file.payload
        }
        if let left = files.first(where: { !named.contains($0.field) }) {
            throw .field(Problem.shown(left.field), "is the file of no job; name it as the file of one")
        }
    }
}

extension UploadedForm.Item {
    fileprivate var job: JobSpec {
        switch self {
        case .text(let text): JobSpec(kind: "text", payload: .text(text))
        case .file(let file): JobSpec(kind: file.kind, payload: file.payload)
        }
    }
}

extension UploadedForm.File {
    fileprivate var payload: Payload { .object(reference: reference.text) }

    /// Who handles it, by its media type.
    fileprivate var kind: String {
        switch mediaType?.split(separator: "/").first {
        case "audio": "audio"
        case "text": "text"
        default: "file"
        }
    }
}
