import LabCore
import LabKube

extension ModuleRegistry {
    /// The modules that ask a cluster: `k8s`, `k8s_info`, and the verification of MetalLB.
    ///
    /// - Parameter environment: of this process, for proxies of downloads.
    package static func kubernetes(environment: [String: String]) -> [any Module] {
        [
            K8sModule(environment: environment), K8sInfoModule(),
            VerifyModule { call, context in try await ClusterLogin(call: call, context: context).session().client },
        ]
    }
}
