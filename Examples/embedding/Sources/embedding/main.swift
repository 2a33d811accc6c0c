import Berth

// embedding ROOT ARCHIVE COMMAND...: runs a command in a container of a root file system, in this very process.
let (root, archive, command) = (CommandLine.arguments[1], CommandLine.arguments[2], Array(CommandLine.arguments.dropFirst(3)))
let engine = try await Engine.open(EngineConfiguration(root: root))
let image = try await engine.images.importRootFileSystem(fromFile: archive).value
let container = try await engine.containers.create(image) {
    $0.command = command
    $0.network = .none
}
try await container.start()
for try await line in try container.logs(LogOptions(following: true)) { print(line.text) }
let exit = try await container.wait()
try await container.remove()
await engine.close()
print("ended with \(exit.code)")
