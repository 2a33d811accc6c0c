internal import AsyncHTTPClient
internal import BerthContent
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1

/// Lists that come in pages (OCI distribution specification, *Listing Tags*; RFC 8288).
extension Conversation {
    /// The most bytes of one page, and the most entries of a whole list.
    static let maximumPageByteCount = 4 << 20, maximumEntryCount = 1_000_000
    private static let maximumPageCount = 100_000

    /// Reads all pages. One that leads elsewhere, or to itself, is an error.
    func pages<Page: Decodable>(
        _ first: Ask, _ what: String, _ page: Page.Type, _ take: (Page, HTTPClientResponse) throws(TransferError) -> Int
    ) async throws(TransferError) {
        var (ask, seen, count) = (first, Set<URLParts>(), 0)
        while true {
            let url = try refusing { () throws(Refusal) in try self.url(of: ask.target) }
            guard seen.insert(url).inserted, seen.count <= Self.maximumPageCount else {
                throw TransferError(
                    .badAnswer, "\(what): the registry \(endpoint.registry) gives the same page again and again", request: shown(ask))
            }
            let (response, value) = try await decoded(ask, page)
            count += try take(value, response)
            guard count <= Self.maximumEntryCount else {
                throw TransferError(.tooLarge, "\(what): there are more than \(Self.maximumEntryCount) entries", request: shown(ask))
            }
            guard let text = LinkHeader.next(response.headers["Link"]) else {
                // Also a list of which it is not seen that it goes on ends here: nothing says where.
                return
            }
            guard let next = url.resolving(text), next.isSameOrigin(as: url) else {
                throw TransferError(
                    .badAnswer, "\(what): the registry \(endpoint.registry) says that the list goes on elsewhere", request: shown(ask))
            }
            ask.target = .url(next)
        }
    }

    /// Asks for a document.
    func decoded<Document: Decodable>(_ ask: Ask, _ type: Document.Type) async throws(TransferError) -> (HTTPClientResponse, Document) {
        let response = try await answer(to: ask)
        let body: [UInt8]
        do {
            body = Array(try await response.body.collect(upTo: Self.maximumPageByteCount).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw TransferError(
                .tooLarge, "the registry \(endpoint.registry) sends more than \(Self.maximumPageByteCount) bytes: \(ask.what)",
                request: shown(ask))
        } catch {
            let call = try refusing { () throws(Refusal) in Call(method: ask.method, url: try url(of: ask.target)) }
            throw refusal(Transport.failure(error, endpoint.host), call).error
        }
        do { return (response, try JSONDecoder().decode(type, from: Data(body))) } catch {
            throw TransferError(
                .badAnswer, "the registry \(endpoint.registry) answers with another document than was asked for: \(ask.what)",
                request: shown(ask))
        }
    }

    func refusing<Result>(_ body: () throws(Refusal) -> Result) throws(TransferError) -> Result {
        do throws(Refusal) { return try body() } catch { throw error.error }
    }
}

/// The header `Link` (RFC 8288, 3).
enum LinkHeader {
    /// Where the next page is: `<…>; rel="next"`. `nil` if nothing says so.
    static func next(_ headers: [String]) -> String? {
        for header in headers where header.utf8.count <= Conversation.maximumHeaderByteCount {
            for link in header.split(separator: ",") {
                let text = link.drop { $0 == " " }
                guard text.hasPrefix("<"), let end = text.firstIndex(of: ">") else { continue }
                let parameters = text[text.index(after: end)...].split(separator: ";").map {
                    $0.filter { $0 != " " && $0 != "\"" }.lowercased()
                }
                if parameters.contains("rel=next") { return String(text[text.index(after: text.startIndex)..<end]) }
            }
        }
        return nil
    }
}
