// The end of a container as one of the watches noticed it.
import type { CaptureReason } from '../../protocol/config/capture.js'
import type { ContainerEnd } from '../../protocol/pod.js'
import type { CgroupPlace } from './cgroup-tree.js'

export interface Detection {
  /** `asked`: it lives, and an operator wants to see it. */
  readonly reason: CaptureReason | 'asked'
  /** What noticed it. */
  readonly by: 'log' | 'cgroup' | 'kubernetes' | 'operator'
  /** When it happened, wall clock ms. */
  readonly atMs: number
  readonly podUid: string
  readonly namespace?: string
  readonly podName?: string
  readonly containerName?: string
  readonly containerId?: string
  /** panic: whose trace it is. */
  readonly language?: string
  /** oom_killed by the control group: processes that were killed since the last look. */
  readonly oomKills?: number
  readonly cgroup?: CgroupPlace
  /** crash_loop and oom_killed by Kubernetes. */
  readonly ended?: ContainerEnd
  readonly restartCount?: number
}
