import LabCore
import LabTransport
import LabYAML
import Testing

@testable import LabKube

private let good = """
    apiVersion: v1
    kind: Config
    clusters:
    - name: c
      cluster:
        server: https://192.168.56.10:6443
        certificate-authority: ca.crt
    users:
    - name: u
      user:
        tokenFile: /var/token
    contexts:
    - name: one
      context: {cluster: c, user: u}
    - name: two
      context: {cluster: c, user: u, namespace: ns}
    current-context: one
    """

private func resolve(_ text: String, context: String? = nil) async throws -> Kubeconfig {
    let document = try YAML.load(SourceFile(path: "config", text: text), schema: .kubernetes)
    return try await Kubeconfig.resolve(document[0], path: "/home/u/.kube/config", context: context) { path in
        switch path {
        case "/home/u/.kube/ca.crt": Array("PEM".utf8)
        case "/var/token": Array("secret-token\n".utf8)
        default: throw ConnectionError(.fileRefused, hostName: "cp1", "\(path) does not exist")
        }
    }
}

struct KubeconfigTests {
    @Test func `contexts, files beside it and tokens are resolved`() async throws {
        let one = try await resolve(good)
        #expect(one.context == "one")
        #expect(one.cluster.host == "192.168.56.10" && one.cluster.port == 6443)
        #expect(one.cluster.authority == "PEM")
        #expect(one.user.token?.reveal() == "secret-token")
        #expect(one.namespace == "default")
        #expect(try await resolve(good, context: "two").namespace == "ns")
        #expect("\(one)".contains("secret-token") == false)
    }

    @Test(arguments: [
        ("https://[fd00::1]:6443/base/", "fd00::1", 6443, "/base"),
        ("https://k8s.example.com", "k8s.example.com", 443, ""),
        ("https://127.0.0.1:6443", "127.0.0.1", 6443, ""),
    ])
    func `servers are taken apart`(server: String, host: String, port: Int, base: String) async throws {
        let cluster = try await resolve(good.replacing("https://192.168.56.10:6443", with: server)).cluster
        #expect(cluster.host == host && cluster.port == port && cluster.basePath == base)
    }

    @Test(arguments: [
        (
            "current-context: one", "current-context: three",
            "the kubeconfig /home/u/.kube/config has no context 'three'", "config:17:18"
        ),
        (
            "https://192.168.56.10:6443", "http://192.168.56.10:8080",
            "the API server's URL http://192.168.56.10:8080 is not https", "config:6:13"
        ),
        (
            "https://192.168.56.10:6443", "https://x:99999", "'https://x:99999' is no URL of an API server",
            "config:6:13"
        ),
        (
            "certificate-authority: ca.crt", "certificate-authority: gone.crt",
            "cannot read the CA certificate of cluster 'c' from /home/u/.kube/gone.crt", "config:7:28"
        ),
        (
            "certificate-authority: ca.crt", "certificate-authority-data: '%%'",
            "certificate-authority-data is not base64", "config:7:33"
        ),
        (
            "certificate-authority: ca.crt", "proxy-url: http://p:3128",
            "proxy-url is not supported: labctl reaches the API server through the node, or directly with --kube-direct",
            "config:7:16"
        ),
        (
            "tokenFile: /var/token", "exec: {command: aws}",
            "user 'u' of the kubeconfig /home/u/.kube/config gets its credentials from a program (exec)", "config:11:11"
        ),
        (
            "tokenFile: /var/token", "client-key-data: YQ==", "user 'u' has a client key but no client certificate",
            "config:11:5"
        ),
        ("tokenFile: /var/token", "token: [a]", "token must be a string, not a list", "config:11:12"),
        (
            "user: u}\n- name: two", "user: v}\n- name: two", "the kubeconfig /home/u/.kube/config has no user 'v'",
            "config:14:31"
        ),
        ("kind: Config", "kind: Pod", "/home/u/.kube/config is no kubeconfig: its kind is 'Pod'", "config:2:7"),
    ])
    func `mistakes are told with their place`(old: String, new: String, message: String, place: String) async throws {
        let error = await failure { _ = try await resolve(good.replacing(old, with: new)) }
        #expect(error?.kind == .kubeconfig)
        #expect(error?.message == message)
        #expect(error?.diagnostics.first?.span?.description == place)
    }

    @Test func `a cluster that is not verified is warned of`() async throws {
        let config = try await resolve(
            good.replacing("certificate-authority: ca.crt", with: "insecure-skip-tls-verify: true"))
        #expect(config.cluster.isVerified == false)
        #expect(config.warnings.count == 1)
    }

    @Test(arguments: [("YQ==", "a"), ("YWI=", "ab"), ("YWJj", "abc"), ("YW\nJj", "abc"), ("", "")])
    func `base64 is decoded`(text: String, decoded: String) {
        #expect(Base64.decode(text) == Array(decoded.utf8))
    }

    @Test(arguments: ["Y", "Y=Q=", "Y!==", "YQ==YQ"])
    func `what is no base64 is refused`(text: String) { #expect(Base64.decode(text) == nil) }
}
