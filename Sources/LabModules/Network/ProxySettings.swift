/// Which proxy a download goes through, from the environment as curl and Python have it.
struct ProxySettings: Sendable {
    struct Proxy: Sendable, Hashable {
        var host: String
        var port: Int
        var user: String?
        var password: String?
    }

    private var proxies: [String: String] = [:]
    private var exceptions: [String] = []

    /// - Parameter environment: `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, small letters before capitals.
    init(environment: [String: String]) {
        for scheme in ["http", "https", "all"] {
            let name = scheme + "_proxy"
            if let value = environment[name] ?? environment[name.uppercased()], !value.isEmpty {
                proxies[scheme] = value
            }
        }
        let list = environment["no_proxy"] ?? environment["NO_PROXY"] ?? ""
        exceptions = list.split(separator: ",").map { $0.trimmingWhitespace().lowercased() }.filter { !$0.isEmpty }
    }

    /// The proxy for a URL; nil to connect directly.
    func proxy(for url: WebAddress) -> Proxy? {
        guard !isExcepted(url), let text = proxies[url.scheme] ?? proxies["all"] else { return nil }
        guard let address = WebAddress(text.contains("://") ? text : "http://" + text) else { return nil }
        return Proxy(host: address.host, port: address.port, user: address.user, password: address.password)
    }

    private func isExcepted(_ url: WebAddress) -> Bool {
        let host = url.host.lowercased()
        return exceptions.contains { exception in
            if exception == "*" { return true }
            var name = exception[...]
            if let colon = name.lastIndex(of: ":"), let port = Int(name[name.index(after: colon)...]) {
                guard port == url.port else { return false }
                name = name[..<colon]
            }
            let domain = name.hasPrefix(".") ? name.dropFirst() : name
            return host == domain || host.hasSuffix("." + domain)
        }
    }
}

/// The parts of an `http` or `https` URL that a download needs (RFC 3986).
struct WebAddress: Sendable, Hashable {
    var scheme: String
    var user: String?
    var password: String?
    var host: String
    var port: Int
    /// With the query, without the fragment; at least `/`.
    var path: String
    private var hasPort: Bool

    /// Nil when the text is no URL of those schemes.
    init?(_ text: String) {
        guard let separator = text.firstRange(of: "://") else { return nil }
        scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "http" || scheme == "https" else { return nil }
        let rest = text[separator.upperBound...].prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        var authority = rest[..<end]
        path = String(rest[end...])
        if !path.hasPrefix("/") { path = "/" + path }
        if let at = authority.lastIndex(of: "@") {
            let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = WebAddress.decoded(String(parts[0]))
            password = parts.count > 1 ? WebAddress.decoded(String(parts[1])) : nil
            authority = authority[authority.index(after: at)...]
        }
        var portText: Substring = ""
        if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
            host = String(authority[authority.index(after: authority.startIndex)..<close])
            portText = authority[close...].dropFirst().drop { $0 == ":" }
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            host = parts.first.map(String.init) ?? ""
            portText = parts.count > 1 ? parts[1] : ""
        }
        guard !host.isEmpty else { return nil }
        hasPort = !portText.isEmpty
        guard let number = portText.isEmpty ? (scheme == "https" ? 443 : 80) : Int(portText),
            (1...65535).contains(number)
        else { return nil }
        port = number
    }

    /// The URL without user and password, for requests and messages.
    var text: String {
        let shownHost = host.contains(":") ? "[\(host)]" : host
        return "\(scheme)://\(shownHost)\(hasPort ? ":\(port)" : "")\(path)"
    }

    /// The last name in the path, for a file to be called.
    var fileName: String {
        let name = path.prefix { $0 != "?" }.split(separator: "/").last.map(String.init) ?? ""
        return name.isEmpty ? "index.html" : WebAddress.decoded(name)
    }

    /// Where a `Location` leads from here (RFC 3986 section 5.2); nil when it leaves http.
    func resolving(_ location: String) -> WebAddress? {
        if location.contains("://") { return WebAddress(location) }
        let origin = "\(scheme)://\(host.contains(":") ? "[\(host)]" : host)\(hasPort ? ":\(port)" : "")"
        if location.hasPrefix("//") { return WebAddress("\(scheme):\(location)") }
        if location.hasPrefix("/") { return WebAddress(origin + location) }
        let folder = path.prefix { $0 != "?" }
        let base = folder[...(folder.lastIndex(of: "/") ?? folder.startIndex)]
        return WebAddress(origin + base + location)
    }

    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
