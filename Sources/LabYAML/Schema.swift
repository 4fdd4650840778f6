/// How scalars without a tag become values, and how lax the syntax is.
package enum Schema: String, Sendable, CaseIterable {
    /// YAML 1.2.2, 10.3.
    case core
    /// What Ansible sees: the resolution of PyYAML (YAML 1.1).
    case ansible
    /// What kubectl sees: the resolution of sigs.k8s.io/yaml.
    case kubernetes

    var dialect: Dialect { Dialect(isLax: self != .core) }
}
