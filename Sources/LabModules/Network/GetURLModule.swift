import LabCore
import LabTransport

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `get_url`: a file from the network.
///
/// The laptop downloads. For a task that runs on a node the file then goes up over the node's connection, so that nodes
/// need no way out and no program for it.
package struct GetURLModule: Module {
    package let specification = ModuleSpecification(
        "ansible.builtin.get_url",
        parameters: [
            .init("url", required: true), .init("dest", .path, required: true), .init("checksum", default: ""),
            .init("force", .bool, default: false), .init("timeout", .int, default: 10), .init("headers", .map),
            .init("backup", .bool, default: false), .init("use_proxy", .bool, default: true),
            .init("url_username", aliases: ["username"]), .init("url_password", aliases: ["password"]),
            .init("http_agent"), .init("tmp_dest", .path), .init("validate_certs", .bool, default: true),
            .init("decompress", .bool, default: true), .init("force_basic_auth", .bool, default: false),
        ] + WantedAttributes.parameters)

    private let environment: [String: String]

    /// - Parameter environment: of this process; proxies and the folder for temporary files are looked up in it.
    package init(environment: [String: String]) { self.environment = environment }

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        let job = try await DownloadJob(call, in: context, environment: environment)
        var values = job.values
        if job.status.exists {
            let isCurrent: Bool
            if let checksum = job.request.checksum {
                isCurrent = job.status.checksum == checksum.digest
            } else if call["force"]?.bool == true {
                isCurrent = try await job.probe() == job.status.checksum
            } else {
                isCurrent = true
            }
            let fields = job.attributes.differences(from: job.status)
            if isCurrent, fields.isEmpty {
                values["msg"] = "file already exists"
                return Plan(.nothing, values: values)
            }
            let content = Change.Field("content", before: job.shownChecksum, after: job.wantedChecksum)
            return Plan(
                .changes([Change(.update, job.path, fields: (isCurrent ? [] : [content]) + fields)]), values: values,
                payload: isCurrent ? nil : job)
        }
        let fields = [Change.Field("content", before: nil, after: job.wantedChecksum)]
        return Plan(
            .changes([
                Change(
                    .create, job.path,
                    fields: fields + job.attributes.fieldsOfNew(isDirectory: false, umask: job.status.umask))
            ]), values: values, payload: job)
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        guard case .changes(let changes) = plan.verdict else {
            return ModuleResult(changed: false, values: plan.values)
        }
        guard let job = plan.payload as? DownloadJob else {
            let job = try await DownloadJob(call, in: context, environment: environment)
            let bits = job.attributes.mode?.bits(
                applyingTo: job.status.mode, isDirectory: false, umask: job.status.umask)
            try await context.perform(job.attributes.commands(for: job.status.path, bits: bits), subject: job.path)
            return ModuleResult(
                changed: true, values: ["msg": "file already exists but file attributes changed"], changes: changes)
        }
        return ModuleResult(
            changed: true, values: try await job.run(backup: call["backup"]?.bool ?? false), changes: changes)
    }
}

/// One use of `get_url`.
private struct DownloadJob: Sendable {
    let context: ModuleContext
    let environment: [String: String]
    let downloader: Downloader
    var request: Downloader.Request
    let attributes: WantedAttributes
    /// Where the file goes, as the task names it.
    let path: String
    let status: FileStatus

    init(_ call: ModuleCall, in context: ModuleContext, environment: [String: String]) async throws {
        self.context = context
        self.environment = environment
        var variables = environment
        for (name, value) in context.environment { variables[name] = value }
        downloader = Downloader(environment: variables, progress: context.progress)
        attributes = try WantedAttributes(call)
        let url = call["url"]?.string ?? ""
        request = Downloader.Request(
            url, headers: (call["headers"]?.map ?? [:]).map { ($0.key, $0.value.string ?? $0.value.json()) },
            timeout: .seconds(call["timeout"]?.int ?? 10), usesProxy: call["use_proxy"]?.bool ?? true,
            span: call.source["url"]?.span ?? call.span)
        if let agent = call["http_agent"]?.string { request.headers.append(("User-Agent", agent)) }
        if let user = call["url_username"]?.string {
            let pair = "\(user):\(call["url_password"]?.string ?? "")"
            request.headers.append(("Authorization", "Basic " + Base64.encode(Array(pair.utf8))))
        }
        request.checksum = try await DownloadJob.checksum(call, downloader: downloader, request: request)
        let destination = call["dest"]?.string ?? ""
        let name = WebAddress(url)?.fileName ?? baseName(of: url)
        let inside = destination.hasSuffix("/") ? destination + name : "\(destination)/\(name)"
        let query = FileQuery(followsLinks: true, checksum: (request.checksum?.algorithm ?? .sha256).rawValue)
        let found = try await context.status(of: [destination, inside], query)
        let isInside = found[0].kind == .directory
        path = isInside ? inside : destination
        status = isInside ? found[1] : found[0]
    }

    /// The checksum that the task wants: written in it, or found in a list at a URL.
    private static func checksum(
        _ call: ModuleCall, downloader: Downloader, request: Downloader.Request
    ) async throws -> (algorithm: Checksum.Algorithm, digest: String)? {
        guard let text = call["checksum"]?.string, !text.isEmpty else { return nil }
        let span = call.source["checksum"]?.span ?? call.span
        func wrong(_ message: String, _ hint: String?) -> ModuleError {
            ModuleError(message, span: span, hint: hint, failureClass: .input)
        }
        guard let colon = text.firstIndex(of: ":") else {
            throw wrong("the checksum does not say its algorithm", "write sha256:… before the digits")
        }
        let name = text[..<colon].lowercased()
        guard let algorithm = Checksum.Algorithm(rawValue: name) else {
            let known = Checksum.Algorithm.allCases.map(\.rawValue)
            throw wrong("there is no checksum algorithm '\(name)'", "one of \(known.joined(separator: ", "))")
        }
        var digest = String(text[text.index(after: colon)...])
        if WebAddress(digest) != nil || digest.hasPrefix("file://") {
            var listRequest = request
            listRequest.url = digest
            let list = try await downloader.text(listRequest, limit: 1 << 20)
            let wanted = WebAddress(request.url)?.fileName ?? baseName(of: request.url)
            guard let found = digestOf(wanted, in: list) else {
                throw ModuleError("\(digest) has no checksum for \(wanted)", span: span)
            }
            digest = found
        }
        digest = digest.filter { $0.isHexDigit || $0.isLetter || $0.isNumber }.lowercased()
        let length = Checksum.of([], algorithm).count
        guard digest.count == length, digest.allSatisfy(\.isHexDigit) else {
            throw wrong("the checksum is no \(algorithm.rawValue) digest", "it takes \(length) hexadecimal digits")
        }
        return (algorithm, digest)
    }

    /// The digest of a file in the output of sha256sum(1); a list with one digest and no names is of that file.
    private static func digestOf(_ name: String, in list: String) -> String? {
        let lines = list.split(whereSeparator: \.isNewline).map { $0.split(separator: " ", maxSplits: 1) }
        if lines.count == 1, lines[0].count == 1 { return String(lines[0][0]) }
        for line in lines where line.count == 2 {
            let file = line[1].drop { $0 == " " || $0 == "*" }
            if file == name || file == "./\(name)" { return String(line[0]) }
        }
        return nil
    }

    var values: ValueMap {
        var values: ValueMap = [
            "url": .string(request.url), "dest": .string(path), "checksum_dest": nil, "checksum_src": nil,
            "elapsed": 0, "state": "file",
        ]
        if status.exists {
            values["size"] = .int(status.size)
            values["mode"] = .string(octal(status.mode))
            values["uid"] = .int(status.userID)
            values["gid"] = .int(status.groupID)
            values["owner"] = .string(status.owner ?? String(status.userID))
            values["group"] = .string(status.group ?? String(status.groupID))
        }
        return values
    }

    var shownChecksum: Value? {
        status.checksum.map { .string("\((request.checksum?.algorithm ?? .sha256).rawValue):\($0)") }
    }

    var wantedChecksum: Value {
        request.checksum.map { .string("\($0.algorithm.rawValue):\($0.digest)") } ?? .string(request.url)
    }

    private var temporaryPath: String {
        let folder = environment["TMPDIR"] ?? "/tmp"
        return "\(folder)/labctl-\(processNumber())-\(UInt32.random(in: .min ... .max))"
    }

    /// The checksum of what is at the URL now.
    func probe() async throws -> String {
        let temporary = temporaryPath
        defer { unlink(temporary) }
        return try await downloader.download(request, to: temporary, mode: 0o600).checksum
    }

    func run(backup: Bool) async throws -> ValueMap {
        let start = ContinuousClock.now
        let bits = attributes.mode.map { mode in
            mode.bits(
                applyingTo: status.exists ? status.mode : 0o666 & ~status.umask, isDirectory: false, umask: status.umask
            )
        }
        var values: ValueMap = [:]
        if backup, status.kind == .regular {
            let name = backupName(of: status.path)
            try await context.perform([["cp", "-p", "--", status.path, name]], subject: path)
            values["backup_file"] = .string(name)
        }
        let download: Downloader.Download
        let mode = bits ?? (status.exists ? status.mode : nil)
        if context.isLocal, context.become == nil {
            download = try await downloader.download(request, to: status.path, mode: mode)
            try await context.perform(attributes.commands(for: status.path, bits: bits), subject: path)
        } else {
            let temporary = temporaryPath
            defer { unlink(temporary) }
            download = try await downloader.download(request, to: temporary, mode: 0o600)
            let file = ContentFile(
                path: path, bytes: try LocalFiles.read(temporary), attributes: attributes, status: status)
            _ = try await file.write(in: context, backup: false, follow: true)
        }
        values["checksum_src"] = .string(download.sha1)
        values["md5sum"] = .string(download.md5)
        values["size"] = .int(download.size)
        values["status_code"] = request.url.hasPrefix("file:") ? .some(.null) : .int(download.status)
        values["msg"] = .string("OK (\(download.size) bytes)")
        values["elapsed"] = .int(Int((ContinuousClock.now - start).components.seconds))
        return values
    }
}
