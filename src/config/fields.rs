//! Every field of a KubeletConfiguration v1beta1 of kubelet 1.36, as data.

/// Fields that mean what they mean in a kubelet.
pub(super) const HONOURED: &[&str] = &[
    "staticPodPath",
    "fileCheckFrequency",
    "staticPodURL",
    "staticPodURLHeader",
    "httpCheckFrequency",
    "healthzPort",
    "healthzBindAddress",
    "readOnlyPort",
    "address",
    "clusterDNS",
    "clusterDomain",
    "resolvConf",
    "containerLogMaxSize",
    "containerLogMaxFiles",
    "podLogsDir",
    "podPidsLimit",
    "crashLoopBackOff",
];

/// Fields that ask for what this version does not do.
pub(super) const NOT_YET: &[&str] = &["seccompDefault"];

/// Fields that mean nothing here.
pub(super) const POINTLESS: &str = "enableServer syncFrequency port tlsCertFile \
    tlsPrivateKeyFile tlsCipherSuites tlsMinVersion tlsCurvePreferences rotateCertificates serverTLSBootstrap \
    authentication authorization registryPullQPS registryBurst eventRecordQPS eventBurst enableDebuggingHandlers \
    enableContentionProfiling oomScoreAdj streamingConnectionIdleTimeout \
    nodeStatusUpdateFrequency nodeStatusReportFrequency nodeLeaseDurationSeconds imageMinimumGCAge imageMaximumGCAge \
    imageGCHighThresholdPercent imageGCLowThresholdPercent volumeStatsAggPeriod kubeletCgroups systemCgroups cgroupRoot \
    cgroupsPerQOS cgroupDriver cpuManagerPolicy singleProcessOOMKill cpuManagerPolicyOptions cpuManagerReconcilePeriod \
    memoryManagerPolicy topologyManagerPolicy topologyManagerScope topologyManagerPolicyOptions qosReserved \
    runtimeRequestTimeout hairpinMode maxPods podCIDR runOnce cpuCFSQuota cpuCFSQuotaPeriod \
    nodeStatusMaxImages maxOpenFiles contentType kubeAPIQPS kubeAPIBurst serializeImagePulls maxParallelImagePulls \
    evictionHard evictionSoft evictionSoftGracePeriod evictionPressureTransitionPeriod evictionMaxPodGracePeriod \
    evictionMinimumReclaim mergeDefaultEvictionSettings podsPerCore enableControllerAttachDetach protectKernelDefaults \
    makeIPTablesUtilChains iptablesMasqueradeBit iptablesDropBit featureGates failSwapOn memorySwap \
    containerLogMaxWorkers containerLogMonitorInterval configMapAndSecretChangeDetectionStrategy systemReserved \
    kubeReserved reservedSystemCPUs showHiddenMetricsForVersion systemReservedCgroup kubeReservedCgroup \
    enforceNodeAllocatable allowedUnsafeSysctls volumePluginDir providerID kernelMemcgNotification logging \
    enableSystemLogHandler enableSystemLogQuery shutdownGracePeriod shutdownGracePeriodCriticalPods \
    shutdownGracePeriodByPodPriority reservedMemory enableProfilingHandler enableDebugFlagsHandler memoryThrottlingFactor \
    memoryReservationPolicy registerWithTaints registerNode tracing localStorageCapacityIsolation \
    containerRuntimeEndpoint imageServiceEndpoint failCgroupV1 userNamespaces imagePullCredentialsVerificationPolicy \
    preloadedImagesVerificationAllowlist";
