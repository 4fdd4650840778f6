import Foundation
import Testing

/// Objects that a real kubectl applied before, with fields that the role does not have (any more).
@Suite(
    "Objects of a real kubectl taken over", .serialized, .sandbox,
    .enabled(if: RunningSandbox.isPossible, RunningSandbox.whyNot),
    .enabled(if: Tool.isInstalled("kubectl"), "needs kubectl in the PATH or in .venv/bin (Scripts/setup test)"))
struct TakeoverTests {
    private let sandbox: RunningSandbox

    init() throws { sandbox = try #require(RunningSandbox.current) }

    /// - Parameter isOld: With the fields that are to go.
    private func objects(_ name: String, isOld: Bool) -> String {
        """
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: \(name)
          namespace: default
        data:
          kept: "1"
        \(isOld ? "  stuck: \"2\"\n" : "")---
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: \(name)
          namespace: default
        spec:
          replicas: 1
          selector:
            matchLabels: {app: \(name)}
          template:
            metadata:
              labels: {app: \(name)}
            spec:
              containers:
                - name: web
                  image: web:1
        \(isOld ? "          env:\n            - name: STUCK\n              value: \"2\"\n" : "")
        """
    }

    private func managers(_ kind: String, _ name: String) throws -> Set<String> {
        let text = try sandbox.kubectl(
            "get", kind, name, "--show-managed-fields", "-o",
            #"jsonpath={range .metadata.managedFields[*]}{.manager}/{.operation}/{.subresource}{"\n"}{end}"#)
        return Set(text.split(separator: "\n").map(String.init).filter { !$0.hasSuffix("/status") })
    }

    @Test(arguments: [["apply"], ["apply", "--server-side"], ["apply", "--server-side", "--force-conflicts"]])
    func nothingIsStuck(command: [String]) throws {
        let project = sandbox.project
        let name = "taken-\(command.count)"
        let old = try project.write(objects(name, isOld: true), to: "old.yaml")
        try sandbox.kubectl(command + ["-f", old])
        try project.write(objects(name, isOld: false), to: "roles/app/files/new.yaml")
        try project.write(
            """
            - name: App there
              kubernetes.core.k8s:
                src: new.yaml
                apply: true
                server_side_apply: {field_manager: labctl, force_conflicts: true}
            """, to: "roles/app/tasks/main.yml")
        try project.write("- hosts: cp1\n  roles: [app]\n", to: "app.yml")

        let manager = command.count == 1 ? "kubectl-client-side-apply (Update)" : "kubectl (Apply)"
        let plan = try project.labctl("play", "app.yml", "--sandbox", "--check", "--diff")
        plan.expect(
            status: 0, "to change App there", ".data.stuck",
            "takes over what \(manager) set in ConfigMap default/\(name)")
        // What the server filled in comes back by itself, so it is not told as going.
        plan.expectNot("terminationMessagePath", "revisionHistoryLimit", "dnsPolicy")
        #expect(try sandbox.kubectl("get", "cm", name, "-o", "jsonpath={.data.stuck}") == "2", "a plan writes nothing")

        try project.labctl("play", "app.yml", "--sandbox").expect(
            status: 0, "changed App there", "took over what \(manager) set in ConfigMap default/\(name)", "proved")
        #expect(try sandbox.kubectl("get", "cm", name, "-o", "jsonpath={.data}") == #"{"kept":"1"}"#)
        #expect(
            try sandbox.kubectl(
                "get", "deployment", name, "-o", "jsonpath={.spec.template.spec.containers[0].env}") == "")
        #expect(
            try sandbox.kubectl("get", "cm", name, "-o", "jsonpath={.metadata.annotations}") == "",
            "what kubectl remembers goes, too")
        #expect(try managers("cm", name) == ["labctl/Apply/"])
        #expect(try managers("deployment", name).subtracting(["kube-controller-manager/Update/"]) == ["labctl/Apply/"])
        try project.labctl("play", "app.yml", "--sandbox", "--prove").expect(
            status: 0, "nothing to do, every step proved, and again with no change")
    }
}
