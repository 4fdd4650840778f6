extension ModuleRegistry {
    /// The modules of `ansible.builtin`, those for Kubernetes, and labctl's own.
    ///
    /// - Parameter environment: of this process, for proxies.
    package static func complete(environment: [String: String]) -> ModuleRegistry {
        var registry = builtIn(environment: environment)
        registry.register(K8sModule(environment: environment))
        registry.register(K8sInfoModule())
        registry.register(VerifyModule())
        registry.register(PreflightModule())
        return registry
    }
}
