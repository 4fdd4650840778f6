import LabCore

/// Who asks: the client certificate's CN and O, or nobody.
package struct APIUser: Sendable, Hashable {
    package var name: String
    package var groups: [String]

    package init(name: String, groups: [String]) {
        self.name = name
        self.groups = groups
    }

    package static let anonymous = APIUser(name: "system:anonymous", groups: ["system:unauthenticated"])

    var isMaster: Bool { groups.contains("system:masters") }
    var isAnonymous: Bool { name == "system:anonymous" }
}

/// One request, freed from the transport.
package struct APIRequest: Sendable {
    package var method: String
    /// Without the query.
    package var path: String
    package var query: [(name: String, value: String)]
    package var contentType: String?
    package var accept: String?
    package var userAgent: String?
    package var body: [UInt8]
    package var user: APIUser

    package init(
        method: String, target: String, contentType: String? = nil, accept: String? = nil, userAgent: String? = nil,
        body: [UInt8] = [], user: APIUser
    ) {
        self.method = method
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts.first.map { Self.percentDecoded($0, plusIsSpace: false) } ?? "/"
        query = (parts.count > 1 ? parts[1] : "").split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                Self.percentDecoded(sides[0], plusIsSpace: true),
                sides.count > 1 ? Self.percentDecoded(sides[1], plusIsSpace: true) : ""
            )
        }
        self.contentType = contentType
        self.accept = accept
        self.userAgent = userAgent
        self.body = body
        self.user = user
    }

    func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

    func flag(_ name: String) -> Bool { ["1", "true", "True", "t", "T", "TRUE"].contains(parameter(name) ?? "") }

    private static func percentDecoded(_ text: Substring, plusIsSpace: Bool) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The answer to a request.
package struct APIResponse: Sendable {
    /// What is sent after the headers, or `cut` for no answer at all.
    package enum Body: Sendable {
        case bytes([UInt8])
        /// A watch: chunks as they come, until the stream ends.
        case stream(AsyncStream<[UInt8]>)
        /// The connection is cut before anything is answered (fault injection).
        case cut
    }

    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: Body

    static func object(_ value: Value, status: Int = 200, contentType: String = "application/json") -> APIResponse {
        APIResponse(
            status: status, headers: [("Content-Type", contentType)],
            body: .bytes(value.jsonBytes() + [0x0A]))
    }

    static func text(_ text: String, status: Int = 200) -> APIResponse {
        APIResponse(
            status: status, headers: [("Content-Type", "text/plain; charset=utf-8")], body: .bytes(Array(text.utf8)))
    }

    static func failure(_ status: APIStatus) -> APIResponse {
        var response = object(status.body, status: status.code)
        response.headers += status.headers.map { (name: $0.0, value: $0.1) }
        return response
    }

    /// What a real server answers where no resource is registered: no Status, plain text.
    static let pageNotFound = text("404 page not found\n", status: 404)
}
