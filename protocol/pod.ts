// What the Kubernetes API says of a pod and its containers, as far as the pipeline needs it; and a container's end as it was noticed.

export interface PodFacts {
  /** As in the paths of its logs: static pods have their config hash. */
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly containers: readonly ContainerFacts[]
}

export interface ContainerFacts {
  readonly name: string
  /** Without the runtime's scheme. */
  readonly containerId?: string
  readonly restartCount: number
  /** `CrashLoopBackOff`, `ImagePullBackOff`, … while it waits. */
  readonly waitingReason?: string
  /** How it ended last: now, or before its newest start. */
  readonly ended?: ContainerEnd
  /** As the pod's specification has it, such as `256Mi`. */
  readonly memoryLimit?: string
}

export interface ContainerEnd {
  /** `OOMKilled`, `Error`, `Completed`, … */
  readonly reason: string
  readonly exitCode: number
  /** ms since the epoch; 0 where it is not said. */
  readonly finishedAtMs: number
  readonly containerId?: string
}

/** One Kubernetes event of a pod, shortened. */
export interface PodEventText {
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly count: number
  readonly lastSeen: string
}
