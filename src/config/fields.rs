//! The fields of a KubeletConfiguration v1beta1 of kubelet 1.36 that are not in `table`, as data.

/// Fields that ask for what this version does not do.
pub(super) const NOT_YET: &[&str] = &["seccompDefault"];

/// Fields that mean nothing here, with all that is below them.
pub(super) const POINTLESS: &str = "enableServer syncFrequency port tlsCertFile \
    tlsPrivateKeyFile tlsCipherSuites tlsMinVersion tlsCurvePreferences rotateCertificates serverTLSBootstrap \
    authentication authorization registryPullQPS registryBurst eventRecordQPS eventBurst enableDebuggingHandlers \
    enableContentionProfiling oomScoreAdj streamingConnectionIdleTimeout \
    volumeStatsAggPeriod kubeletCgroups systemCgroups cgroupRoot \
    cgroupsPerQOS cgroupDriver cpuManagerPolicy singleProcessOOMKill cpuManagerPolicyOptions cpuManagerReconcilePeriod \
    memoryManagerPolicy topologyManagerPolicy topologyManagerScope topologyManagerPolicyOptions qosReserved \
    runtimeRequestTimeout hairpinMode maxPods podCIDR runOnce cpuCFSQuota cpuCFSQuotaPeriod \
    nodeStatusMaxImages maxOpenFiles contentType kubeAPIQPS kubeAPIBurst serializeImagePulls maxParallelImagePulls \
    evictionHard evictionSoft evictionSoftGracePeriod evictionPressureTransitionPeriod evictionMaxPodGracePeriod \
    evictionMinimumReclaim mergeDefaultEvictionSettings podsPerCore enableControllerAttachDetach protectKernelDefaults \
    makeIPTablesUtilChains iptablesMasqueradeBit iptablesDropBit featureGates failSwapOn memorySwap \
    containerLogMaxWorkers containerLogMonitorInterval configMapAndSecretChangeDetectionStrategy systemReserved \
    kubeReserved reservedSystemCPUs showHiddenMetricsForVersion systemReservedCgroup kubeReservedCgroup \
    enforceNodeAllocatable allowedUnsafeSysctls volumePluginDir providerID kernelMemcgNotification \
    logging.format logging.flushFrequency logging.vmodule logging.options \
    enableSystemLogHandler enableSystemLogQuery shutdownGracePeriod shutdownGracePeriodCriticalPods \
    shutdownGracePeriodByPodPriority reservedMemory enableProfilingHandler enableDebugFlagsHandler memoryThrottlingFactor \
    memoryReservationPolicy tracing localStorageCapacityIsolation \
    containerRuntimeEndpoint imageServiceEndpoint failCgroupV1 userNamespaces imagePullCredentialsVerificationPolicy \
    preloadedImagesVerificationAllowlist";
