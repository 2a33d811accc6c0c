internal import BerthLaunch
internal import BerthLinux

/// A process that the monitor has started, with its end of the streams: the container's first one, or an execution beside it.
final class MonitoredProcess {
    /// 0 for the container's first process, else the engine's number of the execution.
    let number: UInt64
    let handle: ProcessHandle
    let startTicks: UInt64
    let startedAt: Int64
    let inputPolicy: MonitorRequest.InputPolicy
    var clients: [StreamClient] = []
    /// Whether the engine has been told of the end.
    var isFinished = false
    var exit: (code: Int32, signal: Int32, at: Int64)?
    /// The terminal's master, which is read and written.
    private(set) var terminal: OwnedDescriptor?
    private(set) var output: OwnedDescriptor?
    private(set) var errors: OwnedDescriptor?
    private(set) var input: OwnedDescriptor?
    private var pendingInput: [UInt8] = []
    private var closesInputWhenWritten = false

    init(_ launched: consuming LaunchedProcess, number: UInt64, input policy: MonitorRequest.InputPolicy) throws(Errno) {
        self.number = number
        inputPolicy = policy
        startedAt = realtimeNanoseconds()
        startTicks = try ProcessTable.startTicks(of: launched.process.id)
        if let terminal = launched.terminal.take() {
            try terminal.setBlocking(false)
            self.terminal = consume terminal
        }
        if let output = launched.output.take() {
            try output.setBlocking(false)
            self.output = consume output
        }
        if let errors = launched.errors.take() {
            try errors.setBlocking(false)
            self.errors = consume errors
        }
        if let input = launched.input.take() {
            try input.setBlocking(false)
            self.input = consume input
        }
        handle = launched.takeProcess()
    }

    enum Source { case terminal, output, errors }

    var hasOpenOutput: Bool { terminal != nil || output != nil || errors != nil }
    var hasPendingInput: Bool { !pendingInput.isEmpty }
    /// No more is taken from clients while so much waits for the process to read it.
    var acceptsInput: Bool { pendingInput.count < 64 << 10 }
    /// Whether a client that does not read makes the process wait.
    var isHeldBack: Bool { clients.contains { $0.isFull && !$0.hasGone } }

    /// Reads once. 0: that stream has ended and is closed. `nil`: nothing is there now.
    func read(_ source: Source, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        do {
            let count: Int?
            switch source {
            case .terminal: count = try unsafe terminal?.read(into: buffer)
            case .output: count = try unsafe output?.read(into: buffer)
            case .errors: count = try unsafe errors?.read(into: buffer)
            }
            if let count, count > 0 { return count }
        } catch {
            // EIO is a terminal whose other side nobody holds: its end.
            if error == .EAGAIN { return nil }
        }
        close(source)
        return 0
    }

    private func close(_ source: Source) {
        switch source {
        case .terminal: terminal = nil
        case .output: output = nil
        case .errors: errors = nil
        }
    }

    func closeOutput() {
        terminal = nil
        output = nil
        errors = nil
        input = nil
    }

    func deliver(_ bytes: ArraySlice<UInt8>, isError: Bool) {
        for client in clients where client.streams.contains(isError ? .errors : .output) {
            var rest = bytes
            while !rest.isEmpty {
                client.send(isError ? .errors : .output, rest.prefix(AttachFrame.maximumByteCount))
                rest = rest.dropFirst(AttachFrame.maximumByteCount)
            }
        }
    }

    func take(_ frame: (kind: AttachFrame.Kind, bytes: [UInt8]), from client: StreamClient) {
        switch frame.kind {
        case .input where client.streams.contains(.input):
            pendingInput += frame.bytes
            writeInput()
        case .endOfInput where client.streams.contains(.input):
            // A container whose input stays open for the next client is not told.
            guard inputPolicy == .once, input != nil else { return }
            closesInputWhenWritten = true
            writeInput()
        default: break
        }
    }

    func writeInput() {
        while !pendingInput.isEmpty {
            do {
                let count: Int
                let bytes = pendingInput
                if terminal != nil {
                    count = try unsafe terminal!.write(bytes.span.bytes)
                } else if input != nil {
                    count = try unsafe input!.write(bytes.span.bytes)
                } else {
                    pendingInput = []
                    return
                }
                pendingInput.removeFirst(count)
            } catch {
                if error == .EAGAIN { return }
                // Nobody reads any more: what is left has no reader, as with a pipe in a shell.
                pendingInput = []
                input = nil
            }
        }
        if closesInputWhenWritten { input = nil }
    }
}
