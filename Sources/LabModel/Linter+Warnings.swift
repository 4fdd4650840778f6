import LabCore
import LabTemplate

// What is likely to be wrong, though it loads.
extension LintRun {
    mutating func nodes(_ nodes: [TaskNode]) {
        for node in nodes {
            switch node {
            case .task(let task): self.task(task)
            case .include(let include):
                conditions(of: include.task)
                facts(include.task)
            case .meta(let task, _): conditions(of: task)
            case .block(let block):
                self.nodes(block.tasks)
                self.nodes(block.rescue)
                self.nodes(block.always)
            }
        }
    }

    private mutating func warn(
        _ message: String, _ span: SourceSpan?, hint: String? = nil, severity: Diagnostic.Severity = .warning
    ) {
        collector.add([Diagnostic(message, span: span, hint: hint, severity: severity)])
    }

    private mutating func task(_ task: Task) {
        if task.name?.string?.isEmpty ?? true {
            warn("the task has no name", task.span, hint: "add 'name:', the output is read by people")
        }
        conditions(of: task)
        facts(task)
        kubectl(task)
        mode(task)
    }

    private mutating func conditions(of task: Task) {
        for condition in task.directives.when + (task.changedWhen ?? []) + (task.failedWhen ?? []) + (task.until ?? [])
        {
            if condition.text.isEmpty {
                warn("the condition is empty, it always holds", condition.span ?? task.keywordSpans["when"])
            } else if condition.text.hasTemplateMarks {
                warn(
                    "a condition is an expression already and needs no braces", condition.span,
                    hint: "write '\(Self.withoutBraces(condition.text))'")
            }
        }
    }

    private static func withoutBraces(_ text: String) -> String {
        String(text.replacing("{{", with: "").replacing("}}", with: "").split(separator: " ").joined(separator: " "))
    }

    private mutating func kubectl(_ task: Task) {
        guard ["ansible.builtin.command", "ansible.builtin.shell"].contains(task.module.canonical),
            task.changedWhen == nil
        else { return }
        let text =
            task.freeForm?.string ?? task.arguments["cmd"]?.string
            ?? task.arguments["argv"]?.list?.compactMap(\.string).joined(separator: " ") ?? ""
        let words = text.split(whereSeparator: \.isWhitespace)
        guard let index = words.firstIndex(where: { $0 == "kubectl" || $0.hasSuffix("/kubectl") }),
            words[index...].contains("apply")
        else { return }
        warn(
            "'kubectl apply' has no changed_when: labctl compares the objects before and after, Ansible would always say changed",
            task.module.span, severity: .note)
    }

    /// `mode: 644` is the number 644, octal 1204.
    private mutating func mode(_ task: Task) {
        for name in ["mode", "directory_mode"] {
            guard let value = task.arguments[name], let number = value.int, let span = value.span else { continue }
            let bytes = span.file.bytes[span.start.offset..<span.end.offset]
            if bytes.first == UInt8(ascii: "0") || number < 100 { continue }
            warn(
                "the mode \(number) is a decimal number, in octal \(String(number, radix: 8))", span,
                hint: "write '0\(number)' in quotes")
        }
    }

    /// Names of facts that roles ask for most.
    private static let factNames: Set<String> = [
        "ansible_facts", "ansible_all_ipv4_addresses", "ansible_architecture", "ansible_default_ipv4",
        "ansible_default_ipv6", "ansible_distribution", "ansible_distribution_major_version",
        "ansible_distribution_release", "ansible_distribution_version", "ansible_env", "ansible_fqdn",
        "ansible_hostname",
        "ansible_interfaces", "ansible_kernel", "ansible_memtotal_mb", "ansible_nodename", "ansible_os_family",
        "ansible_pkg_mgr", "ansible_processor_vcpus", "ansible_service_mgr", "ansible_system",
    ]

    /// labctl gathers no facts, so a role that asks for them needs them from elsewhere.
    private mutating func facts(_ task: Task) {
        var texts = (task.directives.when + (task.changedWhen ?? []) + (task.failedWhen ?? []) + (task.until ?? [])).map
        {
            (text: $0.text, span: $0.span)
        }
        func collect(_ value: SourceValue?) {
            switch value?.content {
            case .string(let text)? where text.hasTemplateMarks: texts.append((text, value?.span))
            case .list(let items)?: items.forEach(collect)
            case .map(let entries)?: entries.forEach { collect($0.value) }
            default: break
            }
        }
        collect(task.arguments)
        collect(task.freeForm)
        collect(task.loop?.source)
        for (text, span) in texts {
            let words = text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
            guard let name = words.first(where: { Self.factNames.contains(String($0)) }) else { continue }
            warn(
                "labctl gathers no facts: '\(name)' is undefined unless a variable defines it", span,
                hint: "set it in the inventory, or register what a command prints")
        }
    }
}
