/// A miniature of MetalLB's native manifest, for sandboxes with no network.
package enum MiniatureManifest {
    /// 24 objects with the kinds and names of metallb-native 0.14.9; the texts are labctl's own.
    package static let text = #"""
        # labctl's miniature of MetalLB's native manifest, for sandboxes with no network.
        # It has the kinds and the names of metallb-native 0.14.9 and is otherwise labctl's own: the schemas are short, and no
        # image is ever pulled. It installs no MetalLB; do not apply it to a real cluster.
        apiVersion: v1
        kind: Namespace
        metadata:
          name: metallb-system
          labels:
            pod-security.kubernetes.io/enforce: privileged
            pod-security.kubernetes.io/audit: privileged
            pod-security.kubernetes.io/warn: privileged
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: bfdprofiles.metallb.io
        spec:
          group: metallb.io
          names: {kind: BFDProfile, listKind: BFDProfileList, plural: bfdprofiles, singular: bfdprofile}
          scope: Namespaced
          versions:
            - name: v1beta1
              served: true
              storage: true
              subresources: {status: {}}
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec:
                      type: object
                      properties:
                        detectMultiplier: {type: integer, minimum: 2, maximum: 255}
                        echoInterval: {type: integer, minimum: 10, maximum: 60000}
                        echoMode: {type: boolean}
                        minimumTtl: {type: integer, minimum: 1, maximum: 254}
                        passiveMode: {type: boolean}
                        receiveInterval: {type: integer, minimum: 10, maximum: 60000}
                        transmitInterval: {type: integer, minimum: 10, maximum: 60000}
                    status: {type: object}
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: bgpadvertisements.metallb.io
        spec:
          group: metallb.io
          names: {kind: BGPAdvertisement, listKind: BGPAdvertisementList, plural: bgpadvertisements, singular: bgpadvertisement}
          scope: Namespaced
          versions:
            - name: v1beta1
              served: true
              storage: true
              subresources: {status: {}}
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec:
                      type: object
                      properties:
                        aggregationLength: {type: integer, minimum: 1, default: 32}
                        aggregationLengthV6: {type: integer, default: 128}
                        communities: {type: array, items: {type: string}}
                        ipAddressPools: {type: array, items: {type: string}}
                        ipAddressPoolSelectors:
                          type: array
                          items: &poolSelector
                            type: object
                            x-kubernetes-map-type: atomic
                            properties:
                              matchLabels: {type: object, additionalProperties: {type: string}}
                              matchExpressions: {type: array, items: {type: object, required: [key, operator], properties: {key: {type: string}, operator: {type: string}, values: {type: array, items: {type: string}}}}}
                        localPref: {type: integer}
                        nodeSelectors:
                          type: array
                          items: *poolSelector
                        peers: {type: array, items: {type: string}}
                    status: {type: object}
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: bgppeers.metallb.io
        spec:
          group: metallb.io
          names: {kind: BGPPeer, listKind: BGPPeerList, plural: bgppeers, singular: bgppeer}
          scope: Namespaced
          conversion:
            strategy: Webhook
            webhook:
              conversionReviewVersions: [v1beta1, v1beta2]
              clientConfig:
                # A placeholder, as upstream's 0.14.9 has one: the controller puts its own CA here.
                caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmxhYmN0bC1wbGFjZWhvbGRlcgotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==
                service: {name: metallb-webhook-service, namespace: metallb-system, path: /convert}
          versions:
            - name: v1beta1
              deprecated: true
              deprecationWarning: v1beta1 is deprecated, please use v1beta2
              served: true
              storage: false
              subresources: {status: {}}
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec:
                      type: object
                      required: [myASN, peerASN, peerAddress]
                      properties:
                        myASN: {type: integer, minimum: 0}
                        peerASN: {type: integer, minimum: 0}
                        peerAddress: {type: string}
                        peerPort: {type: integer, minimum: 0, maximum: 16384}
                    status: {type: object}
            - name: v1beta2
              served: true
              storage: true
              subresources: {status: {}}
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec:
                      type: object
                      required: [myASN, peerAddress]
                      properties:
                        bfdProfile: {type: string}
                        connectTime: {type: string}
                        disableMP: {type: boolean, default: false}
                        dynamicASN: {type: string, enum: [internal, external]}
                        ebgpMultiHop: {type: boolean}
                        enableGracefulRestart: {type: boolean}
                        holdTime: {type: string}
                        keepaliveTime: {type: string}
                        myASN: {type: integer, minimum: 0, maximum: 4294967295}
                        nodeSelectors:
                          type: array
                          items:
                            type: object
                            x-kubernetes-map-type: atomic
                            properties:
                              matchLabels: {type: object, additionalProperties: {type: string}}
                              matchExpressions: {type: array, items: {type: object, required: [key, operator], properties: {key: {type: string}, operator: {type: string}, values: {type: array, items: {type: string}}}}}
                        password: {type: string}
                        passwordSecret:
                          type: object
                          x-kubernetes-map-type: atomic
                          properties: {name: {type: string}, namespace: {type: string}}
                        peerASN: {type: integer, minimum: 0, maximum: 4294967295}
                        peerAddress: {type: string}
                        peerPort: {type: integer, minimum: 0, maximum: 16384, default: 179}
                        routerID: {type: string}
                        sourceAddress: {type: string}
                        vrf: {type: string}
                    status: {type: object}
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: communities.metallb.io
        spec:
          group: metallb.io
          names: {kind: Community, listKind: CommunityList, plural: communities, singular: community}
          scope: Namespaced
          versions:
            - name: v1beta1
              served: true
              storage: true
              subresources: {status: {}}
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec:
                      type: object
                      properties:
                        communities:
                          type: array
                          items:
                            type: object
                            properties: {name: {type: string}, value: {type: string}}
                    status: {type: object}
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: ipaddresspools.metallb.io
        spec:
          group: metallb.io
          names: {kind: IPAddressPool, listKind: IPAddressPoolList, plural: ipaddresspools, singular: ipaddresspool}
          scope: Namespaced
          versions:
            - name: v1beta1
              served: true
              storage: true
              subresources: {status: {}}
              additionalPrinterColumns:
                - {name: Auto Assign, jsonPath: .spec.autoAssign, type: boolean}
                - {name: Addresses, jsonPath: .spec.addresses, type: string}
              schema:
                openAPIV3Schema:
                  type: object
                  required: [spec]
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec:
                      type: object
                      required: [addresses]
                      properties:
                        addresses: {type: array, items: {type: string}}
                        autoAssign: {type: boolean, default: true}
                        avoidBuggyIPs: {type: boolean, default: false}
                        serviceAllocation:
                          type: object
                          properties: {namespaces: {type: array, items: {type: string}}, priority: {type: integer}}
                    status: {type: object}
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: l2advertisements.metallb.io
        spec:
          group: metallb.io
          names: {kind: L2Advertisement, listKind: L2AdvertisementList, plural: l2advertisements, singular: l2advertisement}
          scope: Namespaced
          versions:
            - name: v1beta1
              served: true
              storage: true
              subresources: {status: {}}
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec:
                      type: object
                      properties:
                        interfaces: {type: array, items: {type: string}}
                        ipAddressPools: {type: array, items: {type: string}}
                        ipAddressPoolSelectors:
                          type: array
                          items: &selector
                            type: object
                            x-kubernetes-map-type: atomic
                            properties:
                              matchLabels: {type: object, additionalProperties: {type: string}}
                              matchExpressions: {type: array, items: {type: object, required: [key, operator], properties: {key: {type: string}, operator: {type: string}, values: {type: array, items: {type: string}}}}}
                        nodeSelectors:
                          type: array
                          items: *selector
                    status: {type: object}
        ---
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata:
          name: servicel2statuses.metallb.io
        spec:
          group: metallb.io
          names: {kind: ServiceL2Status, listKind: ServiceL2StatusList, plural: servicel2statuses, singular: servicel2status}
          scope: Namespaced
          versions:
            - name: v1beta1
              served: true
              storage: true
              subresources: {status: {}}
              schema:
                openAPIV3Schema:
                  type: object
                  properties:
                    apiVersion: {type: string}
                    kind: {type: string}
                    metadata: {type: object}
                    spec: {type: object}
                    status:
                      type: object
                      properties:
                        interfaces: {type: array, items: {type: object, properties: {name: {type: string}}}}
                        node: {type: string}
                        serviceName: {type: string}
                        serviceNamespace: {type: string}
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: controller, namespace: metallb-system, labels: {app: metallb}}
        ---
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: speaker, namespace: metallb-system, labels: {app: metallb}}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: controller, namespace: metallb-system, labels: {app: metallb}}
        rules:
          - {apiGroups: [""], resources: [secrets], verbs: [create, get, list, update, watch]}
          - {apiGroups: [metallb.io], resources: [ipaddresspools, l2advertisements], verbs: [get, list, watch]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: pod-lister, namespace: metallb-system, labels: {app: metallb}}
        rules:
          - {apiGroups: [""], resources: [pods], verbs: [get, list]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: "metallb-system:controller", labels: {app: metallb}}
        rules:
          - {apiGroups: [""], resources: [services, namespaces], verbs: [get, list, watch]}
          - {apiGroups: [""], resources: [services/status], verbs: [update]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: "metallb-system:speaker", labels: {app: metallb}}
        rules:
          - {apiGroups: [metallb.io], resources: [servicel2statuses, servicel2statuses/status], verbs: ["*"]}
          - {apiGroups: [""], resources: [services, nodes], verbs: [get, list, watch]}
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: controller, namespace: metallb-system, labels: {app: metallb}}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: controller}
        subjects: [{kind: ServiceAccount, name: controller, namespace: metallb-system}]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: pod-lister, namespace: metallb-system, labels: {app: metallb}}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: pod-lister}
        subjects: [{kind: ServiceAccount, name: speaker, namespace: metallb-system}]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: "metallb-system:controller", labels: {app: metallb}}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "metallb-system:controller"}
        subjects: [{kind: ServiceAccount, name: controller, namespace: metallb-system}]
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: "metallb-system:speaker", labels: {app: metallb}}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "metallb-system:speaker"}
        subjects: [{kind: ServiceAccount, name: speaker, namespace: metallb-system}]
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: metallb-excludel2, namespace: metallb-system}
        data:
          excludel2.yaml: |
            announcedInterfacesToExclude: ["^lo$", "^docker.*", "^veth.*"]
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: metallb-webhook-cert, namespace: metallb-system}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: metallb-webhook-service, namespace: metallb-system}
        spec:
          selector: {component: controller}
          ports:
            - {port: 443, targetPort: 9443}
        ---
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: controller, namespace: metallb-system, labels: {app: metallb, component: controller}}
        spec:
          revisionHistoryLimit: 3
          selector: {matchLabels: {app: metallb, component: controller}}
          template:
            metadata: {labels: {app: metallb, component: controller}}
            spec:
              serviceAccountName: controller
              terminationGracePeriodSeconds: 0
              nodeSelector: {kubernetes.io/os: linux}
              containers:
                - name: controller
                  image: labctl.invalid/metallb-controller:miniature
                  args: [--port=7472]
                  env:
                    - {name: METALLB_ML_SECRET_NAME, value: memberlist}
                    - {name: METALLB_DEPLOYMENT, value: controller}
                  ports:
                    - {name: monitoring, containerPort: 7472}
                    - {name: webhook-server, containerPort: 9443, protocol: TCP}
                  volumeMounts:
                    - {name: cert, mountPath: /tmp/k8s-webhook-server/serving-certs, readOnly: true}
              volumes:
                - {name: cert, secret: {defaultMode: 420, secretName: metallb-webhook-cert}}
        ---
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: speaker, namespace: metallb-system, labels: {app: metallb, component: speaker}}
        spec:
          selector: {matchLabels: {app: metallb, component: speaker}}
          template:
            metadata: {labels: {app: metallb, component: speaker}}
            spec:
              serviceAccountName: speaker
              terminationGracePeriodSeconds: 2
              hostNetwork: true
              nodeSelector: {kubernetes.io/os: linux}
              tolerations:
                - {key: node-role.kubernetes.io/control-plane, operator: Exists, effect: NoSchedule}
              containers:
                - name: speaker
                  image: labctl.invalid/metallb-speaker:miniature
                  args: [--port=7472]
                  env:
                    - {name: METALLB_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
                  ports:
                    - {name: monitoring, containerPort: 7472}
                    - {name: memberlist-tcp, containerPort: 7946}
                    - {name: memberlist-udp, containerPort: 7946, protocol: UDP}
                  volumeMounts:
                    - {name: memberlist, mountPath: /etc/ml_secret_key, readOnly: true}
                    - {name: metallb-excludel2, mountPath: /etc/metallb, readOnly: true}
              volumes:
                - {name: memberlist, secret: {defaultMode: 420, secretName: memberlist}}
                - {name: metallb-excludel2, configMap: {defaultMode: 256, name: metallb-excludel2}}
        ---
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingWebhookConfiguration
        metadata:
          name: metallb-webhook-configuration
        webhooks:
          - name: bgppeersvalidationwebhook.metallb.io
            admissionReviewVersions: [v1]
            clientConfig:
              service: {name: metallb-webhook-service, namespace: metallb-system, path: /validate-metallb-io-v1beta2-bgppeer}
            failurePolicy: Fail
            sideEffects: None
            rules:
              - {apiGroups: [metallb.io], apiVersions: [v1beta2], operations: [CREATE, UPDATE], resources: [bgppeers]}
          - name: bfdprofilevalidationwebhook.metallb.io
            admissionReviewVersions: [v1]
            clientConfig:
              service: {name: metallb-webhook-service, namespace: metallb-system, path: /validate-metallb-io-v1beta1-bfdprofile}
            failurePolicy: Fail
            sideEffects: None
            rules:
              - {apiGroups: [metallb.io], apiVersions: [v1beta1], operations: [CREATE, DELETE], resources: [bfdprofiles]}
          - name: bgpadvertisementvalidationwebhook.metallb.io
            admissionReviewVersions: [v1]
            clientConfig:
              service: {name: metallb-webhook-service, namespace: metallb-system, path: /validate-metallb-io-v1beta1-bgpadvertisement}
            failurePolicy: Fail
            sideEffects: None
            rules:
              - {apiGroups: [metallb.io], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [bgpadvertisements]}
          - name: communityvalidationwebhook.metallb.io
            admissionReviewVersions: [v1]
            clientConfig:
              service: {name: metallb-webhook-service, namespace: metallb-system, path: /validate-metallb-io-v1beta1-community}
            failurePolicy: Fail
            sideEffects: None
            rules:
              - {apiGroups: [metallb.io], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [communities]}
          - name: ipaddresspoolvalidationwebhook.metallb.io
            admissionReviewVersions: [v1]
            clientConfig:
              service: {name: metallb-webhook-service, namespace: metallb-system, path: /validate-metallb-io-v1beta1-ipaddresspool}
            failurePolicy: Fail
            sideEffects: None
            rules:
              - {apiGroups: [metallb.io], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [ipaddresspools]}
          - name: l2advertisementvalidationwebhook.metallb.io
            admissionReviewVersions: [v1]
            clientConfig:
              service: {name: metallb-webhook-service, namespace: metallb-system, path: /validate-metallb-io-v1beta1-l2advertisement}
            failurePolicy: Fail
            sideEffects: None
            rules:
              - {apiGroups: [metallb.io], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [l2advertisements]}

        """#
}
