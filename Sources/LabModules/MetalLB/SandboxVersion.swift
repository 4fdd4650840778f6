/// What the version of an API server tells of labctl's own sandbox.
enum SandboxVersion {
    /// Whether the server is the sandbox's and its nodes are on loopback only, so that nothing may be asked of the network:
    /// their addresses are those of somebody's real lab. Scripts/namespaces gives the nodes a network, and says so.
    static func isOnLoopback(_ version: String) -> Bool {
        // A version that went through a label has dashes.
        let spelled = version.replacing("-", with: ".")
        return spelled.contains("labctl.sandbox") && !spelled.contains("labctl.sandbox.network")
    }
}
