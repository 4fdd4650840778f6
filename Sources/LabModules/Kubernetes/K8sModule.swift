import LabCore
import LabKube
import LabTransport

/// `kubernetes.core.k8s`: objects of a cluster, brought there or taken away.
///
/// With `apply` (or `server_side_apply`) they are applied server-side, and an object is `ok` when its dry run answers with
/// what is there. Without, they are created or merged into what is there, as kubernetes.core does.
package struct K8sModule: Module {
    package let specification = ModuleSpecification(
        "kubernetes.core.k8s",
        parameters: [
            .init("state", choices: ["present", "absent", "patched"], default: "present"), .init("src", .path),
            .init("definition", .any, aliases: ["resource_definition", "inline"]), .init("template", .any),
            .init("api_version", aliases: ["api", "version"]), .init("kind"), .init("name"), .init("namespace"),
            .init("apply", .bool, default: false), .init("server_side_apply", .map),
            .init("force", .bool, default: false),
            .init("wait", .bool, default: false), .init("wait_timeout", .int, default: 120),
            .init("wait_sleep", .int, default: 5), .init("wait_condition", .map), .init("validate", .map),
            .init("delete_options", .map), .init("continue_on_error", .bool, default: false),
        ] + ClusterLogin.parameters)

    private let environment: [String: String]

    /// - Parameter environment: of this process, for proxies of downloads.
    package init(environment: [String: String]) { self.environment = environment }

    package var validatesBeforeRun: Bool { true }

    package func validate(_ call: ModuleCall, in scope: ValidationScope) -> [Diagnostic] {
        K8sValidation(call: call, scope: scope).diagnostics()
    }

    package func mayRepeat(_ call: ModuleCall) -> Bool { true }

    package func plan(_ call: ModuleCall, in context: ModuleContext) async throws -> Plan {
        try await translatingErrors {
            let task = try await K8sTask(call, context: context, environment: environment)
            return call["state"] == "absent" ? try await task.planDeletion() : try await task.planApply()
        }
    }

    package func apply(_ plan: Plan, for call: ModuleCall, in context: ModuleContext) async throws -> ModuleResult {
        try await translatingErrors {
            switch plan.payload {
            case let work as K8sTask.ApplyWork: try await work.run(context: context)
            case let work as K8sTask.DeleteWork: try await work.run()
            default: ModuleResult(changed: false, values: plan.values)
            }
        }
    }
}

/// Runs a body and throws what the cluster says as a failure of the task.
func translatingErrors<Output>(_ body: () async throws -> Output) async throws -> Output {
    do {
        return try await body()
    } catch let error as KubeError {
        throw ModuleError(error)
    }
}
