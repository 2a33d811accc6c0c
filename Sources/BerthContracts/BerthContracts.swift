/// What a protocol of this package promises, piece by piece: whoever implements it runs the pieces in a test of its own.
///
/// ```swift
/// @Test(arguments: SnapshotterContract.all) func keeps(_ promise: Promise<any Snapshotter>) async throws {
///     try await promise.check(try MySnapshotter(directory: scratch))
/// }
/// ```
/// Each piece is given a subject that nothing has been done with. No testing library is needed: what is not kept is thrown.
public struct Promise<Subject: Sendable>: Sendable, CustomStringConvertible {
    /// What is promised, as a sentence.
    public let description: String
    private let body: @Sendable (Subject, Checking) async throws -> Void

    init(_ description: String, _ body: @escaping @Sendable (Subject, Checking) async throws -> Void) {
        (self.description, self.body) = (description, body)
    }

    /// Sees whether the subject keeps the promise.
    ///
    /// - Throws: ``ContractViolation`` if it does not.
    public func check(_ subject: Subject) async throws {
        do { try await body(subject, Checking(promise: description)) } catch let violation as ContractViolation {
            throw violation
        } catch {
            throw ContractViolation(promise: description, seen: "it threw: \(error)")
        }
    }
}

/// A promise that was not kept.
public struct ContractViolation: Error, Sendable, CustomStringConvertible {
    /// What was promised.
    public let promise: String
    /// What was seen instead.
    public let seen: String
    /// Both.
    public var description: String { "promised: \(promise). Seen: \(seen)" }
}

/// The words in which promises are checked.
struct Checking: Sendable {
    let promise: String

    func that(_ isSo: Bool, _ seen: @autoclosure () -> String) throws {
        if !isSo { throw ContractViolation(promise: promise, seen: seen()) }
    }

    func same<Value: Equatable>(_ found: Value, _ expected: Value, _ what: String) throws {
        try that(found == expected, "\(what) is \(found), not \(expected)")
    }

    /// - Parameter isExpected: whether an error is the one that is promised.
    func throwing(_ what: String, _ isExpected: (any Error) -> Bool, _ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            return try that(isExpected(error), "\(what) threw \(error)")
        }
        throw ContractViolation(promise: promise, seen: "\(what) threw nothing")
    }
}
