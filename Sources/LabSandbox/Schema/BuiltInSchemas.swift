import LabCore

/// The fields of the kinds that the sandbox's API server knows, as the OpenAPI document of Kubernetes 1.36 lists them
/// with its `x-kubernetes-list-type`, `list-map-keys` and `map-type`.
enum BuiltInSchemas {
    /// The type of a kind of an API version, or nil when the sandbox does not know it.
    static func type(_ version: GroupVersion, _ kind: String) -> SchemaType? { types["\(version)/\(kind)"] }

    /// The type of the metadata of every object.
    static let objectMeta = named["ObjectMeta"] ?? .any

    private static let named: [String: SchemaType] = {
        var notation = SchemaNotation(text)
        var result: [String: SchemaType] = [:]
        for name in notation.names { result[name] = notation.type(name) }
        return result
    }()

    private static let types: [String: SchemaType] = {
        let versions: [(String, [String])] = [
            (
                "v1",
                [
                    "Namespace", "Node", "Pod", "Service", "ServiceAccount", "Secret", "ConfigMap", "Event",
                    "Endpoints",
                ]
            ),
            ("apps/v1", ["Deployment", "DaemonSet", "ReplicaSet"]),
            ("discovery.k8s.io/v1", ["EndpointSlice"]),
            ("coordination.k8s.io/v1", ["Lease"]),
            ("rbac.authorization.k8s.io/v1", ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]),
            ("apiextensions.k8s.io/v1", ["CustomResourceDefinition"]),
            (
                "admissionregistration.k8s.io/v1",
                ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]
            ),
        ]
        var result: [String: SchemaType] = [:]
        for (version, kinds) in versions {
            for kind in kinds {
                guard case .map(var map) = named[kind] else { continue }
                map.fields["apiVersion"] = .scalar(.string, defaultValue: nil)
                map.fields["kind"] = .scalar(.string, defaultValue: nil)
                map.fields["metadata"] = objectMeta
                result["\(version)/\(kind)"] = .map(map)
            }
        }
        return result
    }()

    private static let text = """
        ObjectMeta = name generateName namespace selfLink uid resourceVersion generation# creationTimestamp deletionTimestamp deletionGracePeriodSeconds# labels{} annotations{} ownerReferences[uid]:OwnerReference finalizers[set] managedFields[]*
        OwnerReference! = apiVersion kind name uid controller% blockOwnerDeletion%
        LabelSelector! = matchLabels{} matchExpressions[]:LabelSelectorRequirement
        LabelSelectorRequirement = key operator values[]
        Condition = type status reason message lastTransitionTime lastUpdateTime lastHeartbeatTime lastProbeTime observedGeneration#
        LocalObjectReference! = name
        ObjectReference! = apiVersion kind name namespace uid resourceVersion fieldPath
        Namespace = spec:NamespaceSpec status:NamespaceStatus
        NamespaceSpec = finalizers[]
        NamespaceStatus = phase conditions[type]:Condition
        Node = spec:NodeSpec status:NodeStatus
        NodeSpec = podCIDR podCIDRs[set] providerID unschedulable% taints[]:Taint configSource* externalID
        Taint = key value effect timeAdded
        NodeStatus = addresses[type]:NodeAddress allocatable{}? capacity{}? conditions[type]:Condition config* daemonEndpoints* declaredFeatures[] features* images[]* nodeInfo* phase runtimeHandlers[]* volumesAttached[name]* volumesInUse[]
        NodeAddress = type address
        ServiceAccount = automountServiceAccountToken% imagePullSecrets[name]:LocalObjectReference secrets[name]:ObjectReference
        Secret = data{} stringData{} immutable% type
        ConfigMap = data{} binaryData{} immutable%
        Event = action count# eventTime firstTimestamp involvedObject:ObjectReference lastTimestamp message reason related:ObjectReference reportingComponent reportingInstance series:EventSeries source:EventSource type
        EventSeries = count# lastObservedTime
        EventSource = component host
        Endpoints = subsets[]:EndpointSubset
        EndpointSubset = addresses[]:EndpointAddress notReadyAddresses[]:EndpointAddress ports[]:EndpointPort
        EndpointAddress! = hostname ip nodeName targetRef:ObjectReference
        EndpointPort! = appProtocol name port# protocol
        EndpointSlice = addressType endpoints[]:Endpoint ports[]:EndpointPort
        Endpoint = addresses[set] conditions:EndpointConditions deprecatedTopology{} hints* hostname nodeName targetRef:ObjectReference zone
        EndpointConditions = ready% serving% terminating%
        Lease = spec:LeaseSpec
        LeaseSpec = acquireTime holderIdentity leaseDurationSeconds# leaseTransitions# preferredHolder renewTime strategy
        Service = spec:ServiceSpec status:ServiceStatus
        ServiceSpec = allocateLoadBalancerNodePorts% clusterIP clusterIPs[] externalIPs[] externalName externalTrafficPolicy healthCheckNodePort# internalTrafficPolicy ipFamilies[] ipFamilyPolicy loadBalancerClass loadBalancerIP loadBalancerSourceRanges[] ports[port,protocol]:ServicePort publishNotReadyAddresses% selector{!} sessionAffinity sessionAffinityConfig:SessionAffinityConfig trafficDistribution type
        ServicePort = appProtocol name nodePort# port# protocol=TCP targetPort?
        SessionAffinityConfig = clientIP:ClientIPConfig
        ClientIPConfig = timeoutSeconds#
        ServiceStatus = conditions[type]:Condition loadBalancer:LoadBalancerStatus
        LoadBalancerStatus = ingress[]:LoadBalancerIngress
        LoadBalancerIngress = hostname ip ipMode ports[]*
        Deployment = spec:DeploymentSpec status:DeploymentStatus
        DeploymentSpec = minReadySeconds# paused% progressDeadlineSeconds# replicas# revisionHistoryLimit# selector:LabelSelector strategy:DeploymentStrategy template:PodTemplateSpec
        DeploymentStrategy = type rollingUpdate:RollingUpdate
        RollingUpdate = maxSurge? maxUnavailable?
        DeploymentStatus = availableReplicas# collisionCount# conditions[type]:Condition observedGeneration# readyReplicas# replicas# terminatingReplicas# unavailableReplicas# updatedReplicas#
        DaemonSet = spec:DaemonSetSpec status:DaemonSetStatus
        DaemonSetSpec = minReadySeconds# revisionHistoryLimit# selector:LabelSelector template:PodTemplateSpec updateStrategy:DeploymentStrategy
        DaemonSetStatus = collisionCount# conditions[type]:Condition currentNumberScheduled# desiredNumberScheduled# numberAvailable# numberMisscheduled# numberReady# numberUnavailable# observedGeneration# updatedNumberScheduled#
        ReplicaSet = spec:ReplicaSetSpec status:ReplicaSetStatus
        ReplicaSetSpec = minReadySeconds# replicas# selector:LabelSelector template:PodTemplateSpec
        ReplicaSetStatus = availableReplicas# conditions[type]:Condition fullyLabeledReplicas# observedGeneration# readyReplicas# replicas# terminatingReplicas#
        PodTemplateSpec = metadata:ObjectMeta spec:PodSpec
        Pod = spec:PodSpec status:PodStatus
        PodSpec = activeDeadlineSeconds# affinity* automountServiceAccountToken% containers[name]:Container dnsConfig:PodDNSConfig dnsPolicy enableServiceLinks% ephemeralContainers[name]:Container hostAliases[ip]:HostAlias hostIPC% hostNetwork% hostPID% hostUsers% hostname hostnameOverride imagePullSecrets[name]:LocalObjectReference initContainers[name]:Container nodeName nodeSelector{!} os* overhead{}? preemptionPolicy priority# priorityClassName readinessGates[]* resourceClaims[name]* resources:ResourceRequirements restartPolicy runtimeClassName schedulerName schedulingGates[name]* securityContext:PodSecurityContext serviceAccount serviceAccountName setHostnameAsFQDN% shareProcessNamespace% subdomain terminationGracePeriodSeconds# tolerations[]:Toleration topologySpreadConstraints[topologyKey,whenUnsatisfiable]:TopologySpreadConstraint volumes[name]:Volume
        PodDNSConfig = nameservers[] options[]* searches[]
        HostAlias = hostnames[] ip
        Toleration = effect key operator tolerationSeconds# value
        TopologySpreadConstraint = labelSelector:LabelSelector matchLabelKeys[] maxSkew# minDomains# nodeAffinityPolicy nodeTaintsPolicy topologyKey whenUnsatisfiable
        Container = args[] command[] env[name]:EnvVar envFrom[]:EnvFromSource image imagePullPolicy lifecycle:Lifecycle livenessProbe:Probe name ports[containerPort,protocol]:ContainerPort readinessProbe:Probe resizePolicy[]* resources:ResourceRequirements restartPolicy restartPolicyRules[]* securityContext:SecurityContext startupProbe:Probe stdin% stdinOnce% targetContainerName terminationMessagePath terminationMessagePolicy tty% volumeDevices[devicePath]* volumeMounts[mountPath]:VolumeMount workingDir
        EnvVar = name value valueFrom:EnvVarSource
        EnvVarSource = configMapKeyRef:KeySelector fieldRef:ObjectFieldSelector fileKeyRef* resourceFieldRef:ResourceFieldSelector secretKeyRef:KeySelector
        KeySelector! = key name optional%
        ObjectFieldSelector! = apiVersion fieldPath
        ResourceFieldSelector! = containerName divisor? resource
        EnvFromSource = configMapRef:OptionalReference prefix secretRef:OptionalReference
        OptionalReference = name optional%
        Lifecycle = postStart:LifecycleHandler preStop:LifecycleHandler stopSignal
        LifecycleHandler = exec:ExecAction httpGet:HTTPGetAction sleep* tcpSocket:TCPSocketAction
        ExecAction = command[]
        HTTPGetAction = host httpHeaders[]:HTTPHeader path port? scheme
        HTTPHeader = name value
        TCPSocketAction = host port?
        GRPCAction = port# service
        Probe = exec:ExecAction failureThreshold# grpc:GRPCAction httpGet:HTTPGetAction initialDelaySeconds# periodSeconds# successThreshold# tcpSocket:TCPSocketAction terminationGracePeriodSeconds# timeoutSeconds#
        ContainerPort = containerPort# hostIP hostPort# name protocol=TCP
        ResourceRequirements = claims[name]* limits{}? requests{}?
        SecurityContext = allowPrivilegeEscalation% appArmorProfile* capabilities:Capabilities privileged% procMount readOnlyRootFilesystem% runAsGroup# runAsNonRoot% runAsUser# seLinuxOptions* seccompProfile:SeccompProfile windowsOptions*
        Capabilities = add[] drop[]
        SeccompProfile = localhostProfile type
        PodSecurityContext = appArmorProfile* fsGroup# fsGroupChangePolicy runAsGroup# runAsNonRoot% runAsUser# seLinuxChangePolicy seLinuxOptions* seccompProfile:SeccompProfile supplementalGroups[]# supplementalGroupsPolicy sysctls[]* windowsOptions*
        VolumeMount = mountPath mountPropagation name readOnly% recursiveReadOnly subPath subPathExpr
        Volume = awsElasticBlockStore* azureDisk* azureFile* cephfs* cinder* configMap:ConfigMapVolumeSource csi* downwardAPI* emptyDir:EmptyDirVolumeSource ephemeral* fc* flexVolume* flocker* gcePersistentDisk* gitRepo* glusterfs* hostPath:HostPathVolumeSource image* iscsi* name nfs* persistentVolumeClaim:ClaimVolumeSource photonPersistentDisk* portworxVolume* projected:ProjectedVolumeSource quobyte* rbd* scaleIO* secret:SecretVolumeSource storageos* vsphereVolume*
        ConfigMapVolumeSource = defaultMode# items[]:KeyToPath name optional%
        SecretVolumeSource = defaultMode# items[]:KeyToPath optional% secretName
        KeyToPath = key mode# path
        EmptyDirVolumeSource = medium sizeLimit?
        HostPathVolumeSource = path type
        ClaimVolumeSource = claimName readOnly%
        ProjectedVolumeSource = defaultMode# sources[]*
        PodStatus = conditions[type]:Condition containerStatuses[]* ephemeralContainerStatuses[]* hostIP hostIPs[]* initContainerStatuses[]* message nominatedNodeName observedGeneration# phase podIP podIPs[ip]:PodIP qosClass reason resize resourceClaimStatuses[name]* startTime
        PodIP = ip
        Role = rules[]:PolicyRule
        ClusterRole = aggregationRule:AggregationRule rules[]:PolicyRule
        AggregationRule = clusterRoleSelectors[]:LabelSelector
        PolicyRule = apiGroups[] nonResourceURLs[] resourceNames[] resources[] verbs[]
        RoleBinding = roleRef:RoleRef subjects[]:Subject
        ClusterRoleBinding = roleRef:RoleRef subjects[]:Subject
        RoleRef! = apiGroup kind name
        Subject! = apiGroup kind name namespace
        CustomResourceDefinition = spec:DefinitionSpec status:DefinitionStatus
        DefinitionSpec = conversion:Conversion group names:DefinitionNames preserveUnknownFields% scope versions[]:DefinitionVersion
        DefinitionNames = categories[] kind listKind plural shortNames[] singular
        Conversion = strategy webhook:WebhookConversion
        WebhookConversion = clientConfig:WebhookClientConfig conversionReviewVersions[]
        WebhookClientConfig = caBundle service:ServiceReference url
        ServiceReference = name namespace path port#
        DefinitionVersion = additionalPrinterColumns[]:PrinterColumn deprecated% deprecationWarning name schema:DefinitionSchema selectableFields[]* served% storage% subresources:Subresources
        PrinterColumn = description format jsonPath name priority# type
        DefinitionSchema = openAPIV3Schema*
        Subresources = scale* status*
        DefinitionStatus = acceptedNames:DefinitionNames conditions[type]:Condition observedGeneration# storedVersions[]
        ValidatingWebhookConfiguration = webhooks[name]:Webhook
        MutatingWebhookConfiguration = webhooks[name]:Webhook
        Webhook = admissionReviewVersions[] clientConfig:WebhookClientConfig failurePolicy matchConditions[name]* matchPolicy name namespaceSelector:LabelSelector objectSelector:LabelSelector reinvocationPolicy rules[]:WebhookRule sideEffects timeoutSeconds#
        WebhookRule = apiGroups[] apiVersions[] operations[] resources[] scope
        """
}
