/// Does something with each of several things, so many at a time, begun in their order. Returns when all are done.
///
/// - Throws: what the first that fails throws; the others are cancelled then, and have ended when this returns.
func performConcurrently<Item: Sendable>(
    _ items: [Item], width: Int, _ body: @escaping @Sendable (Item) async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (count, item) in items.enumerated() {
            // A group that is left by an error cancels its tasks.
            if count >= max(1, width) { try await group.next() }
            group.addTask { try await body(item) }
        }
        try await group.waitForAll()
    }
}

/// Does something with each thing of a stream, so many at a time, begun as they come. Returns when the stream has ended and all are done.
func performConcurrently<Item: Sendable>(
    _ items: AsyncStream<Item>, width: Int, _ body: @escaping @Sendable (Item) async -> Void
) async {
    await withTaskGroup(of: Void.self) { group in
        var runningCount = 0
        for await item in items {
            if runningCount == max(1, width) { await group.next() } else { runningCount += 1 }
            group.addTask { await body(item) }
        }
    }
}
