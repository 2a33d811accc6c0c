import BerthOCI
import DockerAPI
import Foundation
import Testing

/// The field's own schemas, and a validator of somebody else's that reads them.
enum Schema: Sendable, Hashable {
    /// A file of the image specification.
    case image(String)
    /// The runtime specification's configuration.
    case runtime
    /// A definition of the Engine API's document, by name; strict: a member that the document does not have is a problem, but for these.
    case engine(String, beside: Set<String> = [])

    fileprivate var request: JSONValue {
        switch self {
        case .image(let file): .object(["file": .string("oci-image/\(file)")])
        case .runtime: .object(["file": .string("oci-runtime/config-schema.json")])
        case .engine(let name, let beside):
            .object(["definition": .string(name), "beside": .array(beside.sorted().map { .string($0) })])
        }
    }
}

/// What a value says that its schema does not allow; empty if there is nothing.
func problems(of json: [UInt8], by schema: Schema) throws -> [String] {
    var writer = JSONWriter()
    writer.object { writer in
        writer.name("schema")
        writer.value(schema.request)
        writer.name("value")
        writer.verbatim(json)
    }
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Schemas")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-B", folder.appendingPathComponent("check.py").path]
    let (input, output) = (Pipe(), Pipe())
    (process.standardInput, process.standardOutput) = (input, output)
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(writer.bytes))
    try input.fileHandleForWriting.close()
    let answer = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "check.py failed; it needs python3-jsonschema and python3-yaml")
    return try JSONDecoder().decode([String].self, from: answer)
}

/// Records what the value says that its schema does not allow.
func expectAllowed(_ json: [UInt8], by schema: Schema, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let found = try problems(of: json, by: schema)
    #expect(found.isEmpty, "\(found.joined(separator: "; "))", sourceLocation: sourceLocation)
}
