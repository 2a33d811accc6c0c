internal import Berth
internal import DockerAPI

extension ImagePruning {
    /// Which images a request to prune means.
    init(filters: [String: [String]]) throws(APIFailure) {
        self.init()
        for (key, values) in filters {
            switch key {
            case "dangling":
                // With `-a`, clients add `false` to what is asked for.
                guard !values.isEmpty, values.allSatisfy({ ["true", "1", "false", "0"].contains($0) }) else {
                    throw .invalid("invalid filter 'dangling=[\(values.joined(separator: " "))]'")
                }
                includesNamed = values.contains("false") || values.contains("0")
            case "until":
                until = try Timestamp(untilFilter: values)
            case "label": labels = values
            case "label!": excludedLabels = values
            default: throw .invalid("invalid filter '\(key)'")
            }
        }
    }
}

extension ImagePruneReport {
    /// What a pruning has done.
    init(_ pruned: ImagesPruned) {
        self.init(items: pruned.removals.map { ImageDeleteItem($0) }, reclaimedByteCount: pruned.reclaimedByteCount)
    }
}

extension ImageDeleteItem {
    /// A part of a removal.
    init(_ removal: ImageRemoval) {
        self =
            switch removal {
            case .untagged(let name): .untagged(name.familiar)
            case .deleted(let digest): .deleted(digest.description)
            }
    }
}

extension Timestamp {
    /// The filter `until`.
    init(untilFilter values: [String]) throws(APIFailure) {
        guard let text = values.first else { throw .invalid("invalid filter 'until=[]': one time must be given") }
        guard values.count == 1 else { throw .invalid("more than one until filter specified") }
        guard let time = TimeText.parse(text) else {
            throw .invalid("invalid filter 'until=\(text)': it must be a date, a duration as 10m, or seconds since 1970")
        }
        self = time
    }
}

extension [String: [String]] {
    /// Takes the filter `until` out, if it is there.
    mutating func takeUntil() throws(APIFailure) -> Timestamp? {
        guard let values = removeValue(forKey: "until") else { return nil }
        return try Timestamp(untilFilter: values)
    }
}
