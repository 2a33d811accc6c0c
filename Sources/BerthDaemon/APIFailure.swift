internal import Berth
internal import DockerAPI
internal import NIOHTTP1

/// Why a request is not done, as its client is told. The one table from the engine's errors to HTTP.
struct APIFailure: Error {
    var status: HTTPResponseStatus
    var message: String

    init(_ status: HTTPResponseStatus, _ message: String) { (self.status, self.message) = (status, message) }

    static func invalid(_ message: String) -> APIFailure { APIFailure(.badRequest, message) }
    static func notFound(_ message: String) -> APIFailure { APIFailure(.notFound, message) }

    /// Any error of the engine's.
    init(_ error: any Error) {
        switch error {
        case let error as APIFailure: self = error
        case let error as ContainerError: self.init(Self.status(of: error.code), error.description)
        case let error as ImageError: self.init(Self.status(of: error.code), error.description)
        case let error as NetworkError: self.init(Self.status(of: error.code), error.description)
        case let error as VolumeError: self.init(Self.status(of: error.code), error.description)
        case let error as TransferError: self.init(Self.status(of: error.code), error.description)
        case let error as ImageReference.ParseError: self.init(.badRequest, error.description)
        // What is asked for and does not exist here is a request that makes no sense here.
        case let error as RequestError: self.init(.badRequest, error.description)
        case let error as StateError: self.init(error.code == .busy ? .serviceUnavailable : .internalServerError, error.description)
        default: self.init(.internalServerError, "\(error)")
        }
    }

    private static func status(of code: ContainerError.Code) -> HTTPResponseStatus {
        switch code {
        case .notFound, .imageNotFound: .notFound
        case .conflict: .conflict
        case .forbidden: .forbidden
        case .notModified: .notModified
        case .invalid, .unsupported: .badRequest
        // Docker's word for a command that cannot be run: its clients make 127 and 126 of the message.
        case .commandNotFound, .commandNotExecutable: .badRequest
        case .busy: .serviceUnavailable
        default: .internalServerError
        }
    }

    private static func status(of code: NetworkError.Code) -> HTTPResponseStatus {
        switch code {
        case .notFound: .notFound
        case .conflict: .conflict
        case .forbidden: .forbidden
        case .invalid, .unsupported: .badRequest
        case .busy: .serviceUnavailable
        default: .internalServerError
        }
    }

    private static func status(of code: VolumeError.Code) -> HTTPResponseStatus {
        switch code {
        case .notFound: .notFound
        case .invalid: .badRequest
        case .conflict, .inUse: .conflict
        case .busy: .serviceUnavailable
        default: .internalServerError
        }
    }

    private static func status(of code: ImageError.Code) -> HTTPResponseStatus {
        switch code {
        case .notFound: .notFound
        case .conflict: .conflict
        case .invalid, .unsupported, .tooLarge: .badRequest
        case .busy: .serviceUnavailable
        default: .internalServerError
        }
    }

    private static func status(of code: TransferError.Code) -> HTTPResponseStatus {
        switch code {
        case .notFound: .notFound
        case .unauthorized: .unauthorized
        case .denied: .forbidden
        case .invalid, .unsupported, .tooLarge: .badRequest
        case .busy, .offline: .serviceUnavailable
        default: .internalServerError
        }
    }
}
