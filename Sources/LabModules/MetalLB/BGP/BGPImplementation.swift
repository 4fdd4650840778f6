import LabCore

/// How MetalLB speaks BGP: with its own code, or with FRR beside the speaker (`METALLB_BGP_TYPE`).
package enum BGPImplementation: String, Sendable, Hashable {
    case native
    case frr

    /// What a Deployment of MetalLB's controller is set up for (controller/main.go); nil for any other object.
    package init?(ofDeployment object: Value) {
        guard object["kind"]?.string == "Deployment", object["apiVersion"]?.string?.hasPrefix("apps/") == true,
            object.isNamed("controller", in: "metallb-system")
        else { return nil }
        let variable = object.containers.flatMap { $0["env"]?.list ?? [] }
            .first { $0["name"]?.string == "METALLB_BGP_TYPE" }?["value"]?.string
        // frr-k8s is held to the same rules as frr (`ValidationFor`).
        self = variable?.hasPrefix("frr") == true ? .frr : .native
    }
}
