import LabCore

/// One request to an API server.
package struct HTTPRequest: Sendable {
    /// The HTTP methods that the API is asked with.
    package enum Method: String, Sendable {
        case get = "GET", patch = "PATCH", post = "POST", put = "PUT", delete = "DELETE"
    }

    package var method: Method
    /// The path with its query, percent-encoded: `/api/v1/namespaces?limit=500`.
    package var path: String
    package var accept: String
    package var contentType: String?
    package var body: [UInt8]

    package init(
        _ method: Method, _ path: String, accept: String = "application/json", contentType: String? = nil,
        body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.accept = accept
        self.contentType = contentType
        self.body = body
    }

    /// Whether it leaves everything as it is: a read, or a dry run.
    var isReadOnly: Bool { method == .get || path.contains("dryRun=All") }

    /// Whether sending it twice does no more than sending it once, so that it may be sent again when the link was lost.
    /// Server-side apply and merge patches say what is to be, not what to add.
    var isRepeatable: Bool { method != .post && contentType != "application/json-patch+json" }
}

/// A whole answer of an API server.
package struct HTTPResponse: Sendable {
    package var status: Int
    /// Names in lower case.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first header of that name (in lower case).
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The `Retry-After` header in seconds; the form with a date is not used by API servers.
    var retryAfter: Duration? { header("retry-after").flatMap { Int($0) }.map { .seconds($0) } }
}

/// A query string from names and values, percent-encoded (RFC 3986, section 2.3); empty for no items.
package func queryString(_ items: [(name: String, value: String)]) -> String {
    guard !items.isEmpty else { return "" }
    return "?" + items.map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }.joined(separator: "&")
}

/// A text with everything but unreserved characters percent-encoded.
package func percentEncoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    let digits = Array("0123456789ABCDEF".utf8)
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            bytes.append(byte)
        default:
            bytes.append(UInt8(ascii: "%"))
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 15)])
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
