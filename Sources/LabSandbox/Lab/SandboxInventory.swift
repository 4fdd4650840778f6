import LabCore
import LabYAML

/// The inventory of a sandbox, in the shape of the shipped one.
enum SandboxInventory {
    static func text(_ record: SandboxRecord, _ directory: SandboxDirectory) -> String {
        var groups = ValueMap()
        for node in record.nodes {
            groups[node.group] = groups[node.group] ?? ["hosts": .map([:])]
            groups[node.group]?.put(
                ["hosts", node.name],
                [
                    "ansible_host": "127.0.0.1", "ansible_port": .int(node.port),
                    "node_address": .string(node.clusterAddress),
                ])
        }
        let value: Value = [
            "all": [
                "vars": [
                    "ansible_user": .string(OpenSSH.userName),
                    "ansible_ssh_private_key_file": .string(directory.clientKey),
                    "ansible_ssh_common_args": .string(
                        "-o UserKnownHostsFile=\(quoted(directory.knownHosts)) -o StrictHostKeyChecking=yes "
                            + "-o IdentitiesOnly=yes"),
                    "labctl_sandbox": .string(record.kind.rawValue),
                ],
                "children": .map(groups),
            ]
        ]
        return "# The sandbox of this project, made by labctl. It goes with `labctl sandbox down`.\n"
            + YAML.emit(value)
    }

    private static func quoted(_ path: String) -> String { path.contains(" ") ? "'\"\(path)\"'" : path }
}
