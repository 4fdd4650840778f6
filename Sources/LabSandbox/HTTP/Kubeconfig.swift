import LabCore

/// A kubeconfig with one cluster and one user.
enum Kubeconfig {
    static func text(server: String, authorityPEM: String, client: SandboxIdentity) -> String {
        func encoded(_ text: String) -> String { Base64.encode(Array(text.utf8)) }
        return """
            apiVersion: v1
            kind: Config
            clusters:
            - name: labctl-sandbox
              cluster:
                certificate-authority-data: \(encoded(authorityPEM))
                server: \(server)
            users:
            - name: sandbox-user
              user:
                client-certificate-data: \(encoded(client.certificatePEM))
                client-key-data: \(encoded(client.privateKeyPEM))
            contexts:
            - name: sandbox
              context:
                cluster: labctl-sandbox
                user: sandbox-user
            current-context: sandbox

            """
    }
}
