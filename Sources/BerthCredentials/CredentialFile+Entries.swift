internal import BerthLinux
internal import FoundationEssentials

extension CredentialFile {
    /// What an entry of `auths` says.
    static func credentials(in entry: OrderedObject, _ key: String, _ path: String) throws(CredentialError) -> RegistryCredentials? {
        var (user, password) = (entry.text("username") ?? "", entry.text("password") ?? "")
        if let auth = entry.text("auth"), !auth.isEmpty {
            guard let data = Data(base64Encoded: auth), let colon = data.firstIndex(of: UInt8(ascii: ":")) else {
                throw CredentialError(.invalid, "what '\(path)' keeps for '\(key)' cannot be read: log in again")
            }
            user = String(decoding: data[..<colon], as: UTF8.self)
            // Old clients filled it up.
            password = String(decoding: data[data.index(after: colon)...].filter { $0 != 0 }, as: UTF8.self)
        }
        if let token = entry.text("identitytoken"), !token.isEmpty { return RegistryCredentials(.identityToken(user: user, token: token)) }
        if let token = entry.text("registrytoken"), !token.isEmpty { return RegistryCredentials(.registryToken(token)) }
        return user.isEmpty && password.isEmpty ? nil : RegistryCredentials(.password(user: user, password: password))
    }

    func read() throws(CredentialError) -> OrderedObject {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try HostFile.read(path, limit: Self.maximumByteCount) } catch {
            switch error {
            case .ENOENT, .ENOTDIR: return OrderedObject()
            case .EFBIG: throw CredentialError(.tooLarge, "'\(path)' has more than \(Self.maximumByteCount) bytes", underlying: error)
            default: throw CredentialError(.storage, "cannot read '\(path)': \(error)", underlying: error)
            }
        }
        if bytes.allSatisfy({ [0x20, 0x09, 0x0a, 0x0d].contains($0) }) { return OrderedObject() }
        guard let object = OrderedObject(bytes) else {
            throw CredentialError(.invalid, "'\(path)' is no JSON object: mend it, or move it away")
        }
        return object
    }

    /// Replaces the file in one step, readable by its owner alone. Where it is a link, what it leads to is replaced, and the link stays.
    func write(_ file: OrderedObject) throws(CredentialError) {
        do throws(Errno) {
            let target = try Self.resolved(path)
            let slash = target.lastIndex(of: "/") ?? target.startIndex
            let (parent, name) = (String(target[..<slash]), String(target[target.index(after: slash)...]))
            let directory = try Self.directory(parent)
            try unsafe directory.replaceFile(try PathBytes(name), with: file.encoded().span.bytes, permissions: 0o600)
        } catch { throw CredentialError(.storage, "cannot write '\(path)': \(error)", underlying: error) }
    }

    /// The user's directory, made where it is missing.
    private static func directory(_ path: String) throws(Errno) -> Directory {
        do throws(Errno) { return try Directory.open(path.isEmpty ? "/" : path) } catch {
            guard error == .ENOENT, let slash = path.lastIndex(of: "/") else { throw error }
            let parent = try directory(String(path[..<slash]))
            return try parent.makeDirectories(try PathBytes(String(path[path.index(after: slash)...])), permissions: 0o700)
        }
    }

    /// The most links that are followed.
    private static let maximumLinkCount = 40

    /// Where a path leads in the end: the file need not be there. The directories on the way are the user's own.
    private static func resolved(_ path: String) throws(Errno) -> String {
        var path = path
        for _ in 0..<maximumLinkCount {
            let slash = path.lastIndex(of: "/") ?? path.startIndex
            let (parent, name) = (String(path[..<slash]), String(path[path.index(after: slash)...]))
            let target: String
            do throws(Errno) {
                let directory = try Directory.open(parent.isEmpty ? "/" : parent)
                guard try directory.statusIfThere(try PathBytes(name))?.kind == .symbolicLink else { return path }
                target = try directory.readLink(try PathBytes(name)).description
            } catch {
                if error == .ENOENT { return path }
                throw error
            }
            path = target.hasPrefix("/") ? target : "\(parent)/\(target)"
        }
        throw .ELOOP
    }
}
