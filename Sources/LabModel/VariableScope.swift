import LabCore
import LabTemplate
import Synchronization

/// The variables of one host at one task, rendered when they are asked for and kept until the task is over.
package final class VariableScope: TemplateScope {
    package let layers: VariableLayers
    package let magic: MagicVariables
    private let rendered = Mutex<[String: Value]>([:])

    package init(layers: VariableLayers, magic: MagicVariables) {
        self.layers = layers
        self.magic = magic
    }

    /// A scope with more variables, for the item of a loop or what a task registered.
    package func adding(_ layers: some Sequence<VariableLayer>) -> VariableScope {
        VariableScope(layers: self.layers.adding(layers), magic: magic)
    }

    package func variable(_ name: String) throws -> Value? {
        try value(of: name, through: [])
    }

    package var names: [String] {
        Array(layers.names) + MagicVariables.names.sorted() + ["hostvars", "vars", "omit"]
    }

    package func lookup(_ plugin: String, arguments: [Value], options: ValueMap) throws -> Value {
        try Lookups(base: self, scope: ChainedScope(base: self, chain: [])).run(
            plugin, arguments: arguments, options: options)
    }

    package func service(_ request: TemplateService) throws -> Value? {
        try TemplateServices(magic: magic).answer(request)
    }

    /// The value of a variable while those in `chain` are being rendered.
    fileprivate func value(of name: String, through chain: [String]) throws -> Value? {
        if let value = rendered.withLock({ $0[name] }) { return value }
        guard let value = try compute(name, through: chain) else { return nil }
        rendered.withLock { $0[name] = value }
        return value
    }

    private func compute(_ name: String, through chain: [String]) throws -> Value? {
        // Before what is known by itself: `hostvars` may be what is not known.
        if case .unknown? = layers[name]?.content { throw UnknownVariable(name: name) }
        if let value = magic.value(of: name) { return value }
        switch name {
        case "hostvars": return allHostVariables(through: chain)
        case "vars": return allVariables(through: chain)
        default: break
        }
        guard let variable = layers[name] else { return nil }
        switch variable.content {
        case .value(let value): return value
        case .unknown: throw UnknownVariable(name: name)
        case .template(let source):
            if source.tag == "!vault" {
                throw InputError(
                    "the variable '\(name)' is encrypted with Ansible Vault, which labctl does not open",
                    span: source.span, hint: "give it with '-e', or write it decrypted")
            }
            guard source.containsTemplate else { return source.value }
            if chain.contains(name) { throw loop(name, chain: chain) }
            return try source.rendered(ChainedScope(base: self, chain: chain + [name]))
        }
    }

    private func loop(_ name: String, chain: [String]) -> InputError {
        let members = chain.drop { $0 != name } + [name]
        let notes = members.dropFirst().dropLast().map { member in
            Diagnostic.Note("'\(member)' is defined here", span: layers[member]?.origin.span)
        }
        let way = members.map { "'\($0)'" }.joined(separator: " uses ")
        return InputError(
            "the variable '\(name)' is defined by itself", span: layers[name]?.origin.span,
            notes: (members.count > 2 ? [Diagnostic.Note(way)] : []) + notes)
    }

    /// `vars`: every variable that can be rendered.
    private func allVariables(through chain: [String]) -> Value {
        var map = ValueMap()
        let chain = chain + ["vars"]
        for name in layers.names where !chain.contains(name) {
            map[name] = try? value(of: name, through: chain)
        }
        for name in MagicVariables.names.sorted() { map[name] = magic.value(of: name) }
        return .map(map)
    }

    /// `hostvars` as a whole: of every host every variable that can be rendered.
    private func allHostVariables(through chain: [String]) -> Value {
        // Rendering all variables of all hosts meets those that use `hostvars` themselves: they are left out.
        if chain.contains("hostvars") { return .map([:]) }
        var map = ValueMap()
        for name in magic.inventory.hosts.keys { map[name] = hostScope(name)?.allVariables(through: ["hostvars"]) }
        return .map(map)
    }

    /// The scope of another host of the inventory, as `hostvars` sees it; nil when there is no such host.
    package func hostScope(_ name: String) -> VariableScope? {
        let inventory = magic.inventory
        let known = inventory.host(name).map { VariableLayers(inventory.layers(for: $0)) }
        guard let layers = magic.hostVariables?(name) ?? known else { return nil }
        var other = magic
        other.hostName = name
        return VariableScope(layers: layers, magic: other)
    }
}

/// The scope inside of a variable's own template: it knows the way to it, to tell a loop.
struct ChainedScope: TemplateScope {
    let base: VariableScope
    let chain: [String]

    /// The scope for the text of a file that a lookup renders.
    ///
    /// - Throws: `InputError` when the file is being rendered already.
    func entering(file path: String) throws(InputError) -> ChainedScope {
        if chain.contains(path) { throw InputError("the template \(path) includes itself by a lookup") }
        return ChainedScope(base: base, chain: chain + [path])
    }

    func variable(_ name: String) throws -> Value? { try base.value(of: name, through: chain) }
    var names: [String] { base.names }
    func lookup(_ plugin: String, arguments: [Value], options: ValueMap) throws -> Value {
        try Lookups(base: base, scope: self).run(plugin, arguments: arguments, options: options)
    }
    func service(_ request: TemplateService) throws -> Value? { try base.service(request) }
}
