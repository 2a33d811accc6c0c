internal import Berth
internal import BerthAPI
internal import FoundationEssentials
internal import NIOHTTP1

/// Our own endpoints, beside Docker's.
struct BerthRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.GET, BerthPath.jobs) { try await $0.reply.document(JobList(engine.jobs.list().map { JobItem($0) })) },
            Route(.GET, BerthPath.job("{id}")) { try await follow($0) },
            Route(.POST, BerthPath.cancellation(of: "{id}")) { try await cancel($0) },
            Route(.GET, BerthPath.usage) { try await $0.reply.document(UsageAccount(try await engine.usage())) },
            Route(.POST, BerthPath.check) { try await check($0) },
            Route(.GET, BerthPath.exposure) {
                try await $0.reply.document(ExposureList(try await engine.containers.exposure().map { ExposureItem($0) }))
            },
            Route(.GET, BerthPath.firewall) { try await $0.reply.document(FirewallReport(try await engine.firewallState())) },
            Route(.POST, BerthPath.firewall) { try await setFirewall($0) },
            Route(.POST, BerthPath.edit("{id}")) { try await edit($0) },
        ]
    }

    private func job(_ id: String) throws -> JobOutline {
        guard let job = engine.jobs.find(id) else { throw APIFailure.notFound("no such job: \(id)") }
        return job
    }

    /// Whoever only looks on holds up nothing, and is told as fast as it reads.
    private func follow(_ call: Call) async throws {
        let job = try job(call.subject)
        try await call.reply.begin(type: "application/json")
        var pace = ProgressPace()
        for await progress in job.progress where pace.isDue(progress) {
            try await call.reply.write(try Reply.json(JobReport(JobItem(job.summary))) + [10])
        }
        try await call.reply.write(try Reply.json(JobReport(JobItem(job.summary))) + [10])
        try await call.reply.end()
    }

    private func cancel(_ call: Call) async throws {
        let job = try job(call.subject)
        job.cancel()
        try await call.reply.document(JobReport(JobItem(job.summary)))
    }

    private func check(_ call: Call) async throws {
        let job = engine.check(repairing: call.query.bool("repair"))
        try await FollowedJob(call: call).answer(job) { [try Reply.json(CheckReport($0))] }
    }

    private func edit(_ call: Call) async throws {
        let container = try engine.containers.find(call.subject)
        var configuration = try container.details().configuration
        let request = try ContainerEditRequest(parsing: try await call.jsonBody(), of: configuration)
        let platform = try Platform(parameter: call.query["platform"])
        let edited = try await container.edit(image: request.image, platform: platform, onlyTrying: call.query.bool("dry-run")) {
            request.apply(to: &$0)
        }
        request.apply(to: &configuration)
        let warnings =
            engine.containers.warnings(about: configuration) + (await FirewallWarnings(engine: engine).about(try container.details()))
        try await call.reply.document(
            EditReport(id: container.id, isRestarted: edited.isRestarted, hasNewLayer: edited.hasNewLayer, warnings: warnings))
    }

    /// What is not named stays as it is.
    private func setFirewall(_ call: Call) async throws {
        var setting = engine.firewallSetting
        if let text = call.query["mode"] {
            guard let mode = FirewallSetting.Mode(rawValue: text) else {
                throw APIFailure.invalid("invalid mode '\(text)': it must be explain or cooperate")
            }
            setting.mode = mode
        }
        if let text = call.query["protection"] {
            guard let protection = Firewall.Protection(rawValue: text) else {
                throw APIFailure.invalid("invalid protection '\(text)': it must be owned or watched")
            }
            setting.protection = protection
        }
        guard call.query["mode"] != nil || call.query["protection"] != nil else {
            throw APIFailure.invalid("nothing is to be set: name a mode or a protection")
        }
        try await engine.setFirewall(setting)
        try await call.reply.document(FirewallReport(try await engine.firewallState()))
    }
}

extension CheckReport {
    /// What the engine has found.
    init(_ report: StoreReport) {
        self.init(isSound: report.isSound, findings: report.findings.map { CheckFinding($0) })
        (blobCount, byteCount, layerCount) = (report.blobCount, report.byteCount, report.layerCount)
        (imageCount, referenceCount, containerCount) = (report.imageCount, report.referenceCount, report.containerCount)
        furtherFindingCount = report.furtherFindingCount
    }
}

extension CheckFinding {
    /// A finding of the engine's.
    init(_ finding: StoreFinding) {
        self.init(
            kind: finding.kind.rawValue, subject: finding.subject, problem: finding.problem, details: finding.details,
            meaning: finding.meaning, remedy: finding.remedy, outcome: finding.outcome.rawValue, isFault: finding.isFault)
    }
}

extension Reply {
    /// Answers with a document of our own.
    func document(_ document: some VersionedDocument) async throws { try await json(try Self.json(document)) }

    /// A document of our own, as JSON text.
    static func json(_ document: some VersionedDocument) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(Versioned(document)))
    }
}

extension JobItem {
    /// A job, as the engine lists it.
    init(_ job: JobSummary) {
        let (state, failure): (String, String?) =
            switch job.state {
            case .running: ("running", nil)
            case .succeeded: ("succeeded", nil)
            case .failed(let reason): ("failed", reason)
            case .cancelled: ("cancelled", nil)
            }
        self.init(id: job.id, kind: job.kind, title: job.title, state: state, startedAt: job.startedAt)
        self.failure = failure
        (status, completedByteCount, totalByteCount) = (
            job.progress?.status, job.progress?.completedByteCount, job.progress?.totalByteCount
        )
        let parts = job.progress?.parts ?? []
        if !parts.isEmpty {
            self.parts = parts.map {
                JobPart(id: $0.id, status: $0.status, completedByteCount: $0.completedByteCount, totalByteCount: $0.totalByteCount)
            }
        }
        (followerCount, isBound) = (job.followerCount, job.isBound)
    }
}
