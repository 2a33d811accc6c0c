public import BerthLayers
public import BerthOCI

/// An image that is being thought of: what it says of itself, and layers that are kept already.
///
/// A value: editing it reads no layer, unpacks none and changes no image, and costs what it says. ``ImageStore/write(_:as:)`` makes an image of it. It keeps nothing
/// alive itself: the lease does under which it, and the layers that were added to it, came.
///
/// Its history is kept in step with its layers (OCI image specification, *Image Configuration*): each layer has one step that says so, in the same
/// order, and every other step says that it made none. Where an image tells of fewer layers than it has, the steps that are missing are filled up, with nothing
/// in them, when the layers are changed.
public struct ImageDraft: Hashable, Sendable {
    /// How a container of the image runs unless its maker says otherwise.
    public var execution: ImageConfiguration.Execution {
        get { configuration.execution }
        set { configuration.execution = newValue }
    }
    /// What it runs on.
    public var platform: Platform {
        get { configuration.platform }
        set { configuration.platform = newValue }
    }
    /// When it was made. Of an image it is that image's, of nothing it is not said: nothing here takes the time of day. What is written twice with the
    /// same time, layers and words is the same image.
    public var created: Timestamp? {
        get { configuration.created }
        set { configuration.created = newValue }
    }
    /// Who made it.
    public var author: String? {
        get { configuration.author }
        set { configuration.author = newValue }
    }
    /// All that it says of itself, in step with ``layers``.
    public private(set) var configuration: ImageConfiguration
    /// Its layers, the lowest first.
    public private(set) var layers: [KeptLayer]

    /// An image of no layers, of which nothing is said.
    public init(platform: Platform = .host) {
        configuration = ImageConfiguration(platform: platform, created: nil, execution: .init(), diffIDs: [], history: [])
        layers = []
    }

    /// All that an image is. Nothing holds it: ``ImageStore/draft(of:for:)`` does that as well.
    ///
    /// - Throws: `invalid` if its history tells of more layers than it has.
    public init(of image: ImageRecord) throws(ImageError) {
        (configuration, layers) = (
            image.configuration, zip(image.layers, image.configuration.diffIDs).map { KeptLayer(blob: $0, diffID: $1) }
        )
        let toldCount = configuration.history.count { $0.emptyLayer != true }
        guard toldCount <= layers.count else {
            throw ImageError(
                .invalid, "the history of image \(image.id) tells of \(toldCount) layers, and it has \(layers.count): nothing is made of it"
            )
        }
    }

    // MARK: Editing

    /// Puts a layer on top.
    ///
    /// - Parameter step: the line of its history; that it made a layer is seen to.
    public mutating func append(_ layer: KeptLayer, step: ImageConfiguration.HistoryEntry) {
        fillHistory()
        layers.append(layer)
        configuration.diffIDs.append(layer.diffID)
        configuration.history.append(step.making(layer: true))
    }

    /// Notes a step that made no layer: a change of ``execution``, for instance.
    public mutating func note(_ step: ImageConfiguration.HistoryEntry) {
        fillHistory()
        configuration.history.append(step.making(layer: false))
    }

    /// Puts one layer in the place of all from an index on. The steps that made them stay, as steps that made none.
    ///
    /// - Parameter step: the line of its history; that it made a layer is seen to.
    /// - Throws: `invalid` if there is no layer of that index; the draft is as before then.
    public mutating func replaceLayers(
        from index: Int, with layer: KeptLayer, step: ImageConfiguration.HistoryEntry
    ) throws(ImageError) {
        try requireLayer(index)
        fillHistory()
        for place in configuration.history.indices.dropFirst(stepCount(coveringLayers: index)) {
            configuration.history[place].emptyLayer = true
        }
        layers.removeSubrange(index...)
        configuration.diffIDs.removeSubrange(index...)
        append(layer, step: step)
    }

    /// Puts what it has above one base on another: an application moves to a newer base without being built again.
    ///
    /// Layers and history of the base become those of the new one. What it says of how to run stays as it is, also what it has from the old base.
    /// - Throws: `invalid` if it does not begin with the old base's layers, if that has none, or if the new one is for another operating system or processor; the
    ///   draft is as before then.
    public mutating func rebase(from old: ImageDraft, onto new: ImageDraft) throws(ImageError) {
        guard !old.layers.isEmpty else {
            throw ImageError(.invalid, "the old base has no layers: there is nothing to put another in the place of")
        }
        guard configuration.diffIDs.starts(with: old.configuration.diffIDs) else {
            let common = zip(configuration.diffIDs, old.configuration.diffIDs).prefix { $0 == $1 }.count
            throw ImageError(
                .invalid,
                "the image does not lie on that base: of the base's \(old.layers.count) layers it begins with \(common); name the base that it was made of"
            )
        }
        guard (platform.os, platform.architecture) == (new.platform.os, new.platform.architecture) else {
            throw ImageError(.invalid, "the new base is for \(new.platform), and the image for \(platform)")
        }
        fillHistory()
        let steps = configuration.history
        // Steps without a layer after the base's last layer are the base's too, where they are the same.
        let baseStepCount =
            steps.starts(with: old.configuration.history) && !old.configuration.history.isEmpty
            ? max(old.configuration.history.count, stepCount(coveringLayers: old.layers.count))
            : stepCount(coveringLayers: old.layers.count)
        var base = new
        base.fillHistory()
        layers = base.layers + layers.dropFirst(old.layers.count)
        configuration.diffIDs = layers.map(\.diffID)
        configuration.history = base.configuration.history + steps.dropFirst(baseStepCount)
        configuration.platform = new.platform
    }

    // MARK: Layers and steps

    /// Finds a layer: by its number, counted from 1 for the lowest, or by its digest, that of its tar or of its blob, or the beginning of one, of four digits at
    /// least.
    ///
    /// - Returns: its index in ``layers``.
    /// - Throws: `notFound`, `invalid` for what is neither, or is the beginning of several.
    public func indexOfLayer(named text: String) throws(ImageError) -> Int {
        if text.utf8.count <= 3, let number = Int(text) {
            guard (1...max(1, layers.count)).contains(number), !layers.isEmpty else {
                throw ImageError(.notFound, "there is no layer \(number): the image has \(layers.count)")
            }
            return number - 1
        }
        let hex = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        guard (4...64).contains(hex.utf8.count), hex.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) else {
            throw ImageError(
                .invalid, "'\(text.prefix(128))' is no layer: give its number from 1 on, or its digest, or four digits of it or more")
        }
        let found = layers.indices.filter { layers[$0].diffID.hex.hasPrefix(hex) || layers[$0].blob.digest.hex.hasPrefix(hex) }
        guard let first = found.first else { throw ImageError(.notFound, "the image has no layer of the digest \(text)") }
        guard found.count == 1 else {
            throw ImageError(.invalid, "\(text) is the digest of \(found.count) of the image's layers: give more of it, or the number")
        }
        return first
    }

    func requireLayer(_ index: Int) throws(ImageError) {
        guard layers.indices.contains(index) else {
            throw ImageError(.invalid, "there is no layer of the index \(index): the image has \(layers.count)")
        }
    }

    /// Steps for the layers of which the history does not tell.
    private mutating func fillHistory() {
        let missing = layers.count - configuration.history.count { $0.emptyLayer != true }
        for _ in 0..<max(0, missing) { configuration.history.append(.init(created: nil, createdBy: nil)) }
    }

    /// How many steps the lowest layers took, with those without a layer between them.
    private func stepCount(coveringLayers layerCount: Int) -> Int {
        guard layerCount > 0 else { return 0 }
        var found = 0
        for (place, step) in configuration.history.enumerated() where step.emptyLayer != true {
            found += 1
            if found == layerCount { return place + 1 }
        }
        return configuration.history.count
    }
}

extension ImageConfiguration.HistoryEntry {
    fileprivate func making(layer: Bool) -> Self {
        var step = self
        step.emptyLayer = layer ? nil : true
        return step
    }
}

extension ImageConfiguration {
    /// The step that made each layer; `nil` where the history does not say.
    var stepsOfLayers: [HistoryEntry?] {
        let told = history.filter { $0.emptyLayer != true }
        return diffIDs.indices.map { $0 < told.count ? told[$0] : nil }
    }
}
