import BerthImages
import BerthLayers
import BerthOCI
import BerthState

/// Puts a directory into an image, as one more layer, and makes an image that runs a program of it.
func addProgram(in directory: String, to base: String, as name: ImageReference, images: ImageStore) async throws -> ImageRecord {
    try await images.withLease { lease in
        var program = PackedDirectory(path: directory)
        program.location = "/srv/program"
        program.owner = .init(userID: 0, groupID: 0)
        program.modifiedAt = Timestamp(nanoseconds: 0)  // the same files are the same layer, whenever they were copied

        var draft = try images.draft(of: base, for: lease)
        draft.append(
            try await images.keepLayer(of: program, for: lease).value, step: .init(created: nil, createdBy: "COPY . /srv/program"))
        draft.execution.command = ["/srv/program/run"]
        draft.note(.init(created: nil, createdBy: #"CMD ["/srv/program/run"]"#))
        return try await images.write(draft, as: name).value
    }
}
