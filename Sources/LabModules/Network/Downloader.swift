import AsyncHTTPClient
import LabCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Downloads files to the laptop: over http and https (redirects, proxies), or from `file://`.
package struct Downloader: Sendable {
    /// What shall be downloaded.
    package struct Request: Sendable {
        package var url: String
        package var headers: [(name: String, value: String)]
        /// How long connecting may take, and how long the server may be silent.
        package var timeout: Duration
        /// What the file must be; in hexadecimal.
        package var checksum: (algorithm: Checksum.Algorithm, digest: String)?
        package var usesProxy: Bool
        /// Where the URL was written, for messages.
        package var span: SourceSpan?

        package init(
            _ url: String, headers: [(name: String, value: String)] = [], timeout: Duration = .seconds(10),
            checksum: (algorithm: Checksum.Algorithm, digest: String)? = nil, usesProxy: Bool = true,
            span: SourceSpan? = nil
        ) {
            self.url = url
            self.headers = headers
            self.timeout = timeout
            self.checksum = checksum
            self.usesProxy = usesProxy
            self.span = span
        }
    }

    /// What was downloaded.
    package struct Download: Sendable {
        /// In bytes.
        package var size: Int
        /// By the algorithm of the request's checksum, else SHA-256.
        package var checksum: String
        package var sha1: String
        package var md5: String
        /// The URL after all redirects.
        package var url: String
        package var status: Int
    }

    private let environment: [String: String]
    private let progress: @Sendable (String) -> Void

    /// - Parameters:
    ///   - environment: where `http_proxy`, `https_proxy` and `no_proxy` are looked up, and `SSL_CERT_FILE`: the CAs to
    ///     trust instead of the system's, as curl, OpenSSL and Go have it.
    ///   - progress: gets a line now and then: `downloading metallb-native.yaml: 40 of 72 KB`.
    package init(
        environment: [String: String], progress: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.environment = environment
        self.progress = progress
    }

    /// Downloads to `path`: into a temporary file beside it, which replaces it once everything has arrived and the
    /// checksum fits. Nothing is left behind otherwise.
    ///
    /// - Parameter mode: permission bits of the file; nil is `0666` without the umask.
    /// - Throws: `ModuleError`; `CancellationError`.
    package func download(_ request: Request, to path: String, mode: Int? = nil) async throws -> Download {
        let temporary = "\(path).\(processNumber())-\(UInt32.random(in: .min ... .max)).part"
        let file = try TemporaryFile(temporary)
        defer { file.discard() }
        var sink = Sink(file: file, algorithm: request.checksum?.algorithm ?? .sha256)
        let (url, status) = try await receive(request, into: &sink)
        let download = sink.finish(url: url, status: status)
        if let (algorithm, wanted) = request.checksum, wanted.lowercased() != download.checksum {
            let name = algorithm.rawValue.uppercased()
            throw ModuleError(
                "\(request.url) has another checksum than it should have; nothing was kept", span: request.span,
                notes: [
                    Diagnostic.Note("wanted \(name) \(wanted.lowercased())"),
                    Diagnostic.Note("got    \(name) \(download.checksum) (\(download.size) bytes)"),
                ], hint: "if the file was meant to change, compare it with its publisher's checksum and pin the new one"
            )
        }
        try file.keep(as: path, mode: mode)
        return download
    }

    /// Downloads a text to memory: a manifest, a list of checksums.
    ///
    /// - Parameter limit: how large it may be, in bytes.
    package func text(_ request: Request, limit: Int = 16 << 20) async throws -> String {
        var sink = Sink(file: nil, algorithm: .sha256)
        sink.limit = limit
        _ = try await receive(request, into: &sink)
        return String(decoding: sink.bytes, as: UTF8.self)
    }

    private func receive(_ request: Request, into sink: inout Sink) async throws -> (url: String, status: Int) {
        if request.url.hasPrefix("file://") {
            let path = String(request.url.dropFirst("file://".count))
            try sink.write(LocalFiles.read(path))
            return (request.url, 200)
        }
        guard let address = WebAddress(request.url) else {
            throw ModuleError(
                "'\(request.url)' is no URL that can be downloaded", span: request.span,
                hint: "write http://, https:// or file://", failureClass: .input)
        }
        do {
            return try await receive(address, request, into: &sink)
        } catch let error where error is ModuleError || error is CancellationError {
            throw error
        } catch let error as HTTPClientError where error == .cancelled {
            throw CancellationError()
        } catch {
            throw ModuleError(
                "cannot download \(address.text)", span: request.span,
                notes: [Diagnostic.Note(explanation(error, address, request))],
                hint: error is NIOSSLError
                    ? "name the file of its CA in SSL_CERT_FILE, if that is one of your own"
                    : "is the network there, and is a proxy needed (http_proxy, https_proxy)?",
                isTransient: !(error is NIOSSLError))
        }
    }

    private func receive(
        _ start: WebAddress, _ request: Request, into sink: inout Sink
    ) async throws -> (url: String, status: Int) {
        var address = start
        for _ in 0...10 {
            let client = HTTPClient(
                eventLoopGroupProvider: .singleton, configuration: try configuration(for: address, request))
            let next: WebAddress?
            do {
                next = try await exchange(
                    with: client, address, request, isFirst: address.host == start.host, into: &sink)
            } catch {
                try? await client.shutdown()
                throw error
            }
            try await client.shutdown()
            guard let next else { return (address.text, 200) }
            if address.scheme == "https", next.scheme == "http" {
                throw ModuleError(
                    "\(address.text) redirects to \(next.text), which is not encrypted", span: request.span)
            }
            address = next
        }
        throw ModuleError("\(start.text) redirects more than ten times", span: request.span)
    }

    /// One request; gives where it is redirected to, or nil when the body has arrived.
    private func exchange(
        with client: HTTPClient, _ address: WebAddress, _ request: Request, isFirst: Bool, into sink: inout Sink
    ) async throws -> WebAddress? {
        var message = HTTPClientRequest(url: address.text)
        message.headers.add(name: "User-Agent", value: "labctl")
        message.headers.add(name: "Accept", value: "*/*")
        // Credentials stay with the host that they were written for.
        if isFirst {
            for (name, value) in request.headers { message.headers.replaceOrAdd(name: name, value: value) }
            if let user = address.user { message.setBasicAuth(username: user, password: address.password ?? "") }
        }
        let response = try await client.execute(message, deadline: .distantFuture)
        switch response.status.code {
        case 200...299: break
        case 301, 302, 303, 307, 308:
            guard let location = response.headers.first(name: "Location"), let next = address.resolving(location) else {
                throw ModuleError("\(address.text) redirects to nowhere", span: request.span)
            }
            return next
        default:
            let status = response.status
            throw ModuleError(
                "cannot download \(address.text): the server answered \(status.code) \(status.reasonPhrase)",
                span: request.span, values: ["status_code": .int(Int(status.code))],
                isTransient: status.code >= 500 || status.code == 429)
        }
        let total = response.headers.first(name: "Content-Length").flatMap { Int($0) }
        var shown = ContinuousClock.now
        for try await buffer in response.body {
            try sink.write(Array(buffer.readableBytesView))
            if ContinuousClock.now - shown > .milliseconds(100) {
                shown = .now
                progress("downloading \(address.fileName): \(amount(sink.size, of: total))")
            }
        }
        if let total, sink.size != total {
            throw ModuleError(
                "the download of \(address.text) broke off: \(sink.size) of \(total) bytes", span: request.span,
                isTransient: true)
        }
        return nil
    }

    private func configuration(
        for address: WebAddress, _ request: Request
    ) throws(ModuleError) -> HTTPClient.Configuration {
        let limit = TimeAmount(request.timeout)
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: limit, read: limit))
        configuration.httpVersion = .http1Only
        // One refusal is an answer; without this the client would go on trying for the whole time limit.
        configuration.connectionPool.retryConnectionEstablishment = false
        if let file = environment["SSL_CERT_FILE"], !file.isEmpty, address.scheme == "https" {
            var tls = TLSConfiguration.makeClientConfiguration()
            // Read here: the TLS library would only say that it failed.
            guard let bytes = try? LocalFiles.read(file), let trusted = try? NIOSSLCertificate.fromPEMBytes(bytes)
            else {
                throw ModuleError(
                    "cannot download \(address.text): SSL_CERT_FILE names \(file), which holds no certificates",
                    span: request.span, hint: "it has to be a file of CA certificates in PEM")
            }
            tls.trustRoots = .certificates(trusted)
            configuration.tlsConfiguration = tls
        }
        if request.usesProxy, let proxy = ProxySettings(environment: environment).proxy(for: address) {
            configuration.proxy =
                proxy.user.map {
                    .server(
                        host: proxy.host, port: proxy.port,
                        authorization: .basic(username: $0, password: proxy.password ?? ""))
                } ?? .server(host: proxy.host, port: proxy.port)
        }
        return configuration
    }

    private func explanation(_ error: any Error, _ address: WebAddress, _ request: Request) -> String {
        let host = address.host
        let proxy = request.usesProxy ? ProxySettings(environment: environment).proxy(for: address) : nil
        let proxyName = proxy.map { "the proxy \($0.host):\($0.port)" } ?? "the proxy"
        return switch error {
        case let error as HTTPClientError where error == .proxyAuthenticationRequired:
            "\(proxyName) wants a user and a password: http://USER:PASSWORD@HOST:PORT"
        case let error as HTTPClientError where error == .invalidProxyResponse:
            "\(proxyName) does not connect to \(host):\(address.port)"
        case is NIOSSLError:
            "the certificate of \(host) is not trusted (\(environment["SSL_CERT_FILE"] ?? "the system's CAs"))"
        case let error as HTTPClientError where error == .connectTimeout: "\(host) does not answer"
        case let error as HTTPClientError where error == .readTimeout: "\(host) stopped sending"
        case let error as HTTPClientError where error == .remoteConnectionClosed: "\(host) closed the connection"
        case let error as IOError: systemMessage(error.errnoCode)
        case let error as NIOConnectionError:
            error.dnsAError != nil && error.connectionErrors.isEmpty
                ? "\(host) has no address" : "the connection to \(error.host):\(error.port) failed"
        default: String(describing: error)
        }
    }

    private func amount(_ size: Int, of total: Int?) -> String {

        let unit = max(size, total ?? 0) < 10_000_000 ? "KB" : "MB"
        func scaled(_ size: Int) -> Int { unit == "KB" ? size / 1000 : size / 1_000_000 }
        return total.map { "\(scaled(size)) of \(scaled($0)) \(unit)" } ?? "\(scaled(size)) \(unit)"
    }
}

/// Where the bytes of a download go.
private struct Sink {
    let file: TemporaryFile?
    /// The contents, where no file takes them.
    var bytes: [UInt8] = []
    var size = 0
    /// How many bytes may come where no file takes them.
    var limit = Int.max
    private var digest: RunningChecksum
    private var sha1 = RunningChecksum(.sha1)
    private var md5 = RunningChecksum(.md5)

    init(file: TemporaryFile?, algorithm: Checksum.Algorithm) {
        self.file = file
        digest = RunningChecksum(algorithm)
    }

    mutating func write(_ piece: [UInt8]) throws(ModuleError) {
        size += piece.count
        guard let file else {
            guard size <= limit else {
                throw ModuleError("the download is larger than the \(limit >> 20) MiB that it may have")
            }
            bytes += piece
            return
        }
        digest.update(piece)
        sha1.update(piece)
        md5.update(piece)
        try file.write(piece)
    }

    func finish(url: String, status: Int) -> Downloader.Download {
        Downloader.Download(
            size: size, checksum: digest.finish(), sha1: sha1.finish(), md5: md5.finish(), url: url, status: status)
    }
}
