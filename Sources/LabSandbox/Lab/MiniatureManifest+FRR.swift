extension MiniatureManifest {
    /// 25 objects with the kinds and names of metallb-frr 0.14.9: the native miniature, with FRR beside the speaker.
    package static let frrText =
        text
        .replacing("MetalLB's native manifest", with: "MetalLB's FRR manifest")
        .replacing("metallb-native 0.14.9", with: "metallb-frr 0.14.9")
        .replacing(Anchor.controller, with: Anchor.controller + "\n        " + variable)
        .replacing(Anchor.speaker, with: Anchor.speaker + "\n        " + variable)
        .replacing(Anchor.speakerVolumes, with: containers + "\n" + Anchor.speakerVolumes + "\n" + volumes)
        .replacing(Anchor.excluded, with: startup + "\n" + Anchor.excluded)

    /// Lines of the native miniature.
    private enum Anchor {
        static let controller = "            - {name: METALLB_DEPLOYMENT, value: controller}"
        static let speaker =
            "            - {name: METALLB_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}"
        static let speakerVolumes = """
                  volumes:
                    - {name: memberlist, secret: {defaultMode: 420, secretName: memberlist}}
            """
        static let excluded = """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: metallb-excludel2, namespace: metallb-system}
            """
    }

    private static let variable = "    - {name: METALLB_BGP_TYPE, value: frr}"

    private static let containers = """
                - name: frr
                  image: labctl.invalid/frr:miniature
                  volumeMounts:
                    - {name: frr-sockets, mountPath: /var/run/frr}
                    - {name: frr-conf, mountPath: /etc/frr}
                - name: reloader
                  image: labctl.invalid/frr:miniature
                - name: frr-metrics
                  image: labctl.invalid/frr:miniature
                  args: [--metrics-port=7473]
        """

    private static let volumes = """
                - {name: frr-sockets, emptyDir: {}}
                - {name: frr-startup, configMap: {name: frr-startup}}
                - {name: frr-conf, emptyDir: {}}
        """

    private static let startup = """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: frr-startup, namespace: metallb-system}
        data:
          daemons: |
            bgpd=yes
            bfdd=yes
        ---
        """
}
