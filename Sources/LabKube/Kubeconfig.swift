import LabCore
import LabTransport

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A kubeconfig, resolved for one context: where the API server is, whom to trust, and as whom to come.
///
/// Read only; what is secret in it never leaves `Secret`.
package struct Kubeconfig: Sendable {
    /// The context's name.
    package let context: String
    package let cluster: Cluster
    package let user: User
    /// The context's namespace; `default` when it names none.
    package let namespace: String
    /// Where the file is, as the user would name it.
    package let path: String

    /// Where the API server is, and how its certificate is checked.
    package struct Cluster: Sendable {
        package let name: String
        package let host: String
        package let port: Int
        /// The path before `/api`, without a slash at its end; empty as a rule.
        package let basePath: String
        /// The CA certificates in PEM; nil trusts what the system trusts.
        package let authority: String?
        /// Another name to expect in the server's certificate (`tls-server-name`).
        package let serverName: String?
        package let isVerified: Bool
        /// What the cluster's entry says to exec plugins (its extension `client.authentication.k8s.io/exec`).
        package var pluginConfiguration: Value?
    }

    /// The client certificate and the token to come with, where there are any.
    package struct User: Sendable {
        package let name: String
        /// Certificates in PEM, the user's first.
        package let certificate: String?
        package let key: Secret?
        package let token: Secret?
        /// From when on these are no good any more, where that is known.
        package var expires: Date?
        /// Where they come from again, for token files and exec plugins.
        package var renewal: CredentialRenewal?
    }

    /// What was read although it should be different: `insecure-skip-tls-verify`.
    package let warnings: [String]
}

extension Kubeconfig {
    /// How the files that a kubeconfig names are read: they are beside it, as a rule on the node.
    package typealias FileReader = @Sendable (_ path: String) async throws -> [UInt8]

    /// That the programs which a kubeconfig names for credentials (exec plugins) may be run, and where.
    package struct PluginPermission: Sendable {
        let machine: any Connection
        let folder: String?
        let timeout: Duration
        let tell: @Sendable (String) -> Void

        /// - Parameters:
        ///   - machine: Where they are run: the laptop.
        ///   - folder: The kubeconfig's folder on that machine; nil when it is on another one.
        ///   - tell: Gets what they write to their standard error, line by line.
        package init(
            on machine: any Connection, folder: String?, timeout: Duration = .seconds(60),
            tell: @escaping @Sendable (String) -> Void
        ) {
            self.machine = machine
            self.folder = folder
            self.timeout = timeout
            self.tell = tell
        }
    }

    /// Resolves one context of a kubeconfig.
    ///
    /// - Parameters:
    ///   - document: What the YAML reader made of the file.
    ///   - path: Where the file is; files that it names relatively are relative to its folder.
    ///   - context: The context to use; nil for `current-context`.
    ///   - readFile: Reads `certificate-authority`, `client-certificate`, `client-key` and `tokenFile`.
    ///   - plugins: Whether programs that it names are run for credentials; nil refuses such users.
    /// - Throws: `KubeError` of kind `kubeconfig` that points into the file.
    package static func resolve(
        _ document: SourceValue, path: String, context wanted: String? = nil, readFile: @escaping FileReader,
        plugins: PluginPermission? = nil
    ) async throws -> Kubeconfig {
        let reader = KubeconfigReader(document: document, path: path, readFile: readFile, plugins: plugins)
        return try await reader.resolve(context: wanted)
    }
}

private struct KubeconfigReader {
    let document: SourceValue
    let path: String
    let readFile: Kubeconfig.FileReader
    let plugins: Kubeconfig.PluginPermission?

    private func wrong(
        _ message: String, _ span: SourceSpan?, notes: [Diagnostic.Note] = [], hint: String? = nil
    ) -> KubeError {
        KubeError(.kubeconfig, message, span: span ?? document.span, notes: notes, hint: hint)
    }

    func resolve(context wanted: String?) async throws -> Kubeconfig {
        guard let entries = document.entries else {
            throw wrong("the kubeconfig \(path) is \(document.typeName), not a map", document.span)
        }
        if let kind = document["kind"], kind.string != "Config" {
            throw wrong("\(path) is no kubeconfig: its kind is '\(kind.string ?? kind.typeName)'", kind.span)
        }
        guard entries.contains(where: { $0.key == "clusters" }) else {
            throw wrong("\(path) is no kubeconfig: it has no clusters", document.span)
        }
        let name = try contextName(wanted)
        let context = try named(name, in: "contexts", as: "context", referrer: document["current-context"]?.span)
        let cluster = try named(
            text("cluster", of: context, required: "context '\(name)' names no cluster"), in: "clusters",
            as: "cluster", referrer: context["cluster"]?.span)
        let userName = try text("user", of: context)
        let user = try userName.map { try named($0, in: "users", as: "user", referrer: context["user"]?.span) }
        let resolved = try await self.cluster(cluster, name: text("cluster", of: context) ?? "")
        let warnings =
            resolved.isVerified
            ? [] : ["the kubeconfig \(path) says insecure-skip-tls-verify: the API server's certificate is not checked"]
        return Kubeconfig(
            context: name, cluster: resolved, user: try await self.user(user, name: userName ?? "", of: resolved),
            namespace: try text("namespace", of: context) ?? "default", path: path, warnings: warnings)
    }

    private func contextName(_ wanted: String?) throws -> String {
        let names = (document["contexts"]?.list ?? []).compactMap { $0["name"]?.string }
        if let wanted {
            guard names.contains(wanted) else {
                let near = nearestName(to: wanted, among: names)
                throw wrong(
                    "the kubeconfig \(path) has no context '\(wanted)'", document["contexts"]?.span,
                    hint: near.map { "did you mean '\($0)'?" } ?? "it has: \(names.joined(separator: ", "))")
            }
            return wanted
        }
        if let current = try text("current-context", of: document), !current.isEmpty { return current }
        if names.count == 1, let only = names.first { return only }
        throw wrong(
            "the kubeconfig \(path) has no current-context", document["current-context"]?.span,
            hint: names.isEmpty ? nil : "give the context to use: \(names.joined(separator: ", "))")
    }

    /// The entry of a named list (`clusters`, `users`, `contexts`).
    private func named(
        _ name: String, in list: String, as kind: String, referrer: SourceSpan?
    ) throws -> SourceValue {
        let items = document[list]?.list ?? []
        guard let item = items.first(where: { $0["name"]?.string == name }) else {
            let names = items.compactMap { $0["name"]?.string }
            throw wrong(
                "the kubeconfig \(path) has no \(kind) '\(name)'", referrer,
                hint: nearestName(to: name, among: names).map { "did you mean '\($0)'?" })
        }
        guard let value = item[kind], value.entries != nil else {
            throw wrong("\(kind) '\(name)' of the kubeconfig \(path) is empty", item.span)
        }
        return value
    }

    private func text(_ key: String, of value: SourceValue) throws -> String? {
        guard let entry = value[key], !entry.isNull else { return nil }
        guard let text = entry.string else {
            throw wrong("\(key) must be a string, not \(entry.typeName)", entry.span)
        }
        return text
    }

    private func text(_ key: String, of value: SourceValue, required message: String) throws -> String {
        guard let text = try text(key, of: value), !text.isEmpty else { throw wrong(message, value.span) }
        return text
    }

    // MARK: Clusters

    private func cluster(_ value: SourceValue, name: String) async throws -> Kubeconfig.Cluster {
        let server = try text("server", of: value, required: "cluster '\(name)' has no server")
        let location = try location(of: server, span: value["server"]?.span)
        if let proxy = value["proxy-url"], proxy.string?.isEmpty == false {
            throw wrong(
                "proxy-url is not supported: labctl reaches the API server through the node, or directly with --kube-direct",
                proxy.span, hint: "remove proxy-url, or use a kubeconfig of the node's own")
        }
        let isVerified = value["insecure-skip-tls-verify"]?.bool != true
        let authority = try await content(
            "certificate-authority", of: value, what: "the CA certificate of cluster '\(name)'")
        return Kubeconfig.Cluster(
            name: name, host: location.host, port: location.port, basePath: location.path, authority: authority,
            serverName: try text("tls-server-name", of: value), isVerified: isVerified,
            pluginConfiguration: value["extensions"]?.list?.first {
                $0["name"]?.string == "client.authentication.k8s.io/exec"
            }?["extension"]?.value)
    }

    /// Takes `https://host:port/path` apart.
    private func location(of server: String, span: SourceSpan?) throws -> (host: String, port: Int, path: String) {
        guard let scheme = server.firstRange(of: "://") else {
            throw wrong("'\(server)' is no URL of an API server", span, hint: "write https://HOST:PORT")
        }
        guard server[..<scheme.lowerBound].lowercased() == "https" else {
            throw wrong(
                "the API server's URL \(server) is not https", span,
                hint: "credentials are only sent over TLS; write https://HOST:PORT")
        }
        let rest = server[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        var path = String(rest.dropFirst(authority.count))
        while path.hasSuffix("/") { path.removeLast() }
        var host = authority
        var port: Int? = 443
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[authority.index(after: authority.startIndex)..<end]
            let tail = authority[authority.index(after: end)...]
            if !tail.isEmpty { port = tail.hasPrefix(":") ? Int(tail.dropFirst()) : nil }
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            port = Int(authority[authority.index(after: colon)...])
        }
        guard let port, (1...65535).contains(port), !host.isEmpty else {
            throw wrong("'\(server)' is no URL of an API server", span, hint: "write https://HOST:PORT")
        }
        return (String(host), port, path)
    }

    // MARK: Users

    private func user(
        _ value: SourceValue?, name: String, of cluster: Kubeconfig.Cluster
    ) async throws -> Kubeconfig.User {
        guard let value else { return Kubeconfig.User(name: name, certificate: nil, key: nil, token: nil) }
        for (key, why) in [("auth-provider", "auth-provider was removed from Kubernetes in 1.26")] {
            if let found = value[key], !found.isNull { throw wrong(why, found.span) }
        }
        if let basic = value["username"] ?? value["password"], !basic.isNull {
            throw wrong(
                "API servers have no user names and passwords since Kubernetes 1.19", basic.span,
                hint: "use a client certificate or a token")
        }
        if let exec = value["exec"], !exec.isNull { return try await pluginUser(exec, name: name, of: cluster) }
        var token = try text("token", of: value).map { Secret($0) }
        var renewal: CredentialRenewal?
        let readsToken = try tokenReader(value, name: name)
        if let readsToken { token = try await readsToken() }
        let certificate = try await content(
            "client-certificate", of: value, what: "the client certificate of user '\(name)'")
        let key = try await content("client-key", of: value, what: "the client key of user '\(name)'")
        guard (certificate == nil) == (key == nil) else {
            throw wrong(
                certificate == nil
                    ? "user '\(name)' has a client key but no client certificate"
                    : "user '\(name)' has a client certificate but no client key", value.span)
        }
        let secret = key.map { Secret($0) }
        if let readsToken {
            renewal = CredentialRenewal(maximumAge: .seconds(60), keepsOld: true) {
                Credential(token: try await readsToken(), certificate: certificate, key: secret)
            }
        }
        return Kubeconfig.User(name: name, certificate: certificate, key: secret, token: token, renewal: renewal)
    }

    /// Reads the token file of a user; nil when it has none.
    private func tokenReader(_ value: SourceValue, name: String) throws -> (@Sendable () async throws -> Secret)? {
        guard let file = try text("tokenFile", of: value), !file.isEmpty else { return nil }
        let span = value["tokenFile"]?.span
        return {
            let bytes = try await read(file, span: span, what: "the token of user '\(name)'")
            let token = String(decoding: bytes, as: UTF8.self).trimmingSpace()
            guard !token.isEmpty else { throw wrong("the token file \(file) of user '\(name)' is empty", span) }
            return Secret(token)
        }
    }

    /// A user whose credentials a program gives.
    private func pluginUser(
        _ exec: SourceValue, name: String, of cluster: Kubeconfig.Cluster
    ) async throws -> Kubeconfig.User {
        let command = exec["command"]?.string ?? ""
        guard let plugins else {
            throw wrong(
                "user '\(name)' of the kubeconfig \(path) gets its credentials from a program (exec)", exec.span,
                notes: [Diagnostic.Note("labctl runs no program that a kubeconfig names unless you say so")],
                hint: "if you trust that file, have '\(command)' run on this machine with --kube-exec (or the variable "
                    + "labctl_kube_exec: true); or use a kubeconfig with a client certificate or a token")
        }
        let plugin = try ExecPlugin(exec, user: name, path: path)
        let run: @Sendable () async throws -> Credential = {
            try await plugin.run(
                on: plugins.machine, folder: plugins.folder, cluster: cluster, timeout: plugins.timeout,
                tell: plugins.tell)
        }
        let first = try await run()
        return Kubeconfig.User(
            name: name, certificate: first.certificate, key: first.key, token: first.token, expires: first.expires,
            renewal: CredentialRenewal(renew: run))
    }

    // MARK: Files and data

    /// The text of `key-data` (base64) or of the file that `key` names; data wins, as in client-go.
    private func content(_ key: String, of value: SourceValue, what: String) async throws -> String? {
        if let data = try text(key + "-data", of: value), !data.isEmpty {
            guard let bytes = Base64.decode(data) else {
                throw wrong("\(key)-data is not base64", value[key + "-data"]?.span)
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        guard let file = try text(key, of: value), !file.isEmpty else { return nil }
        return String(decoding: try await read(file, span: value[key]?.span, what: what), as: UTF8.self)
    }

    private func read(_ file: String, span: SourceSpan?, what: String) async throws -> [UInt8] {
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        let absolute = file.hasPrefix("/") ? file : folder + file
        do {
            return try await readFile(absolute)
        } catch let error as any DiagnosticError {
            throw wrong(
                "cannot read \(what) from \(absolute)", span,
                notes: error.diagnostics.map { Diagnostic.Note($0.message) })
        }
    }
}

extension Diagnostic {
    /// The same without what its sentences quote: the reader of a kubeconfig must not show what may be a secret.
    package var withoutQuotations: Diagnostic {
        var told = self
        told.message = Self.unquoted(message)
        told.notes = notes.map { Note(Self.unquoted($0.message), span: $0.span) }
        told.hint = hint.map(Self.unquoted)
        return told
    }

    /// From the first double quote to the last, since what is quoted may have some in it.
    private static func unquoted(_ text: String) -> String {
        guard let first = text.firstIndex(of: "\""), let last = text.lastIndex(of: "\""), first < last else {
            return text
        }
        return text[..<first] + "…" + text[text.index(after: last)...]
    }
}

extension String {
    func trimmingSpace() -> String {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
